#include "server/node/raw_call.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/gateway/stream_watch.h"

namespace cairn {

RawCall::RawCall(RootConnection& root, const std::string& method)
    : RawCall(root.generic(), root.calls(), method, root.name()) {}

RawCall::RawCall(grpc::GenericStub& stub, CallsUnderWay& calls, const std::string& method, std::string other)
    : calls_(calls), other_(std::move(other)) {
  calls_.Add(&context_);
  call_ = stub.PrepareCall(&context_, method, &queue_);
  call_->StartCall(nullptr);
  Await();
}

RawCall::~RawCall() {
  if (!finished_) context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) continue;
  calls_.Remove(&context_);
}

bool RawCall::Await() {
  void* tag = nullptr;
  bool ok = false;
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoSeconds(kStreamIdleMax);
  if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT) return ok;
  timed_out_ = true;
  context_.TryCancel();
  queue_.Next(&tag, &ok);  // Cancelled, it comes back soon.
  return false;
}

bool RawCall::Write(const grpc::ByteBuffer& message) {
  call_->Write(message, nullptr);
  return Await();
}

bool RawCall::WritesDone() {
  call_->WritesDone(nullptr);
  return Await();
}

bool RawCall::Read(grpc::ByteBuffer* message) {
  message->Clear();
  call_->Read(message, nullptr);
  return Await();
}

absl::Status RawCall::Finish() {
  grpc::Status status;
  call_->Finish(&status, nullptr);
  Await();
  finished_ = true;
  if (timed_out_) return absl::UnavailableError(absl::StrCat(other_, " does not answer"));
  return FromGrpc(status, other_);
}

}  // namespace cairn
