#include "client/sdk/cancellation.h"

namespace cairn::sdk {

void Cancellation::Cancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  for (grpc::ClientContext* context : live_) context->TryCancel();
}

absl::Status Cancellation::Check() const {
  std::lock_guard lock(mutex_);
  return cancelled_ ? absl::CancelledError("cancelled by the application") : absl::OkStatus();
}

Cancellation::Scope::Scope(Cancellation& cancellation, grpc::ClientContext& context)
    : cancellation_(cancellation), context_(context) {
  std::lock_guard lock(cancellation_.mutex_);
  cancellation_.live_.insert(&context_);
  if (cancellation_.cancelled_) context_.TryCancel();
}

Cancellation::Scope::~Scope() {
  std::lock_guard lock(cancellation_.mutex_);
  cancellation_.live_.erase(&context_);
}

}  // namespace cairn::sdk
