#include "server/node/raw_call.h"

#include <chrono>

#include "server/gateway/stream_watch.h"

namespace cairn {

RawCall::RawCall(RootConnection& root, const std::string& method) : root_(root) {
  root_.calls().Add(&context_);
  call_ = root_.generic().PrepareCall(&context_, method, &queue_);
  call_->StartCall(nullptr);
  Await();
}

RawCall::~RawCall() {
  if (!finished_) context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) continue;
  root_.calls().Remove(&context_);
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
  if (timed_out_) return absl::UnavailableError("the root does not answer");
  return FromGrpc(status);
}

}  // namespace cairn
