// The part of the program that decomposes matrices, before it is needed.
#pragma once

#include "absl/status/status.h"

namespace cairn {

// Whether it is there. It is not loaded: libtorch takes its time and memory. FAILED_PRECONDITION as CheckModule.
absl::Status CheckLowRankModule();

}  // namespace cairn
