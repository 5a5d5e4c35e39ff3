// Where libtorch's exceptions end.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cairn::kernels {

// The result of `body`, which returns an absl::StatusOr or an absl::Status and may throw. RESOURCE_EXHAUSTED: no
// memory. INTERNAL: anything else that was thrown, the first line of its text after `what`.
template <typename Body>
auto CatchTorch(absl::string_view what, Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
  } catch (const std::exception& error) {
    const absl::string_view text = error.what();  // libtorch's goes on with a stack trace.
    return absl::InternalError(absl::StrCat(what, ": ", text.substr(0, text.find('\n'))));
  }
}

}  // namespace cairn::kernels
