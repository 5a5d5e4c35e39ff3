// Where exceptions for want of memory, threads and the like end.
#pragma once

#include <new>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cairn {

// The result of `body`, which returns an absl::StatusOr or an absl::Status. RESOURCE_EXHAUSTED when it throws for want
// of memory or of anything else that the system gives; by then its objects are destroyed, and have tidied up.
template <typename Body>
auto CatchExhaustion(Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("the system refuses: ", error.what()));
  }
}

}  // namespace cairn
