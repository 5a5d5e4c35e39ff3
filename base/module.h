// Parts of the program that bring large libraries along: files of their own, loaded when they are first needed.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

// The handle, for dlsym, of `file` beside the program, or in the lib folder beside the program's. It is never unloaded:
// libraries such as libtorch do not expect it. FAILED_PRECONDITION when it is not there or cannot be loaded.
absl::StatusOr<void*> LoadModule(const std::string& file);

// Whether it is there, without loading it. FAILED_PRECONDITION: where it should be, and what to do.
absl::Status CheckModule(const std::string& file);

}  // namespace cairn
