#include "server/tree/task_status.h"

#include <string>

#include "aggregators/blame.h"

namespace cairn::tree {

namespace {

constexpr int kLastCode = static_cast<int>(absl::StatusCode::kUnauthenticated);

}  // namespace

void SetStatus(const absl::Status& status, v1::TaskStatus& message) {
  message.set_code(static_cast<int>(status.code()));
  message.set_message(std::string(status.message()));
  message.set_blamed(BlamedClient(status).value_or(""));
}

absl::Status StatusOf(const v1::TaskStatus& message) {
  auto code = static_cast<absl::StatusCode>(message.code());
  // Cancelled is what this process says of itself.
  if (code == absl::StatusCode::kCancelled || message.code() < 0 || message.code() > kLastCode) {
    code = absl::StatusCode::kUnavailable;
  }
  const absl::Status status(code, message.message());
  return message.blamed().empty() ? status : BlameClient(status, message.blamed());
}

}  // namespace cairn::tree
