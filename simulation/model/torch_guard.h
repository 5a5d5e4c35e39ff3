// libtorch reports errors by exceptions; they end here.
#pragma once

#include <exception>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cairn {

// Runs `body`, which returns absl::Status. INTERNAL with libtorch's message when it throws.
template <typename Body>
absl::Status CatchTorch(absl::string_view what, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", error.what()));
  }
}

}  // namespace cairn
