#include "cli/exit_code.h"

#include "base/interrupt.h"

namespace cairn {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kCancelled:
      return 128 + InterruptGuard::Signal();
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:  // Any other error of a system call (base/files.h).
      return kExitFiles;
    default:
      return kExitRefused;
  }
}

}  // namespace cairn
