#include "server/tree/task_status.h"

#include <string>

#include "aggregators/blame.h"

namespace cairn::tree {

void SetStatus(const absl::Status& status, v1::TaskStatus& message) {
  message.set_code(static_cast<int>(status.code()));
  message.set_message(std::string(status.message()));
  message.set_blamed(BlamedClient(status).value_or(""));
}

absl::Status StatusOf(const v1::TaskStatus& message) {
  const absl::Status status(static_cast<absl::StatusCode>(message.code()), message.message());
  return message.blamed().empty() ? status : BlameClient(status, message.blamed());
}

}  // namespace cairn::tree
