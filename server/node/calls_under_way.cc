#include "server/node/calls_under_way.h"

namespace cairn {

void CallsUnderWay::AwaitNone() {
  std::unique_lock lock(mutex_);
  none_.wait(lock, [this] { return contexts_.empty(); });
}

void CallsUnderWay::Add(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  contexts_.insert(context);
  if (closed_) context->TryCancel();  // Before it starts: then it ends at once.
}

void CallsUnderWay::Remove(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  contexts_.erase(context);
  none_.notify_all();  // With the lock: once it is released, this object may be gone.
}

void CallsUnderWay::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

bool CallsUnderWay::closed() {
  std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace cairn
