#include "client/sdk/raw_stream.h"

#include "absl/strings/str_cat.h"
#include "client/sdk/status.h"

namespace cairn::sdk {
namespace {

gpr_timespec DeadlineAfter(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_micros(absl::ToInt64Microseconds(timeout), GPR_TIMESPAN));
}

}  // namespace

RawStream::RawStream(Connection& connection, Link& link, const std::string& method) : connection_(connection) {
  call_ = link.generic_stub.PrepareCall(&context_, method, &queue_);
  call_->StartCall(Begin(kStart));
  if (Await(kStart)) BeginRead();
}

RawStream::~RawStream() {
  if (!succeeded_[kFinish]) context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool RawStream::Write(const grpc::ByteBuffer& message) {
  if (!pending_[kRead]) return false;
  call_->Write(message, Begin(kWrite));
  return Await(kWrite);
}

bool RawStream::WritesDone() {
  if (!pending_[kRead]) return false;
  call_->WritesDone(Begin(kWritesDone));
  return Await(kWritesDone);
}

bool RawStream::Read(grpc::ByteBuffer* message) {
  if (!Await(kRead)) return false;
  message->Swap(&incoming_);
  incoming_.Clear();
  BeginRead();
  return true;
}

absl::Status RawStream::Finish() {
  call_->Finish(&status_, Begin(kFinish));
  Await(kFinish);
  if (timed_out_ && connection_.cancellation.Check().ok()) {
    return absl::UnavailableError(
        absl::StrCat("no progress for ", absl::FormatDuration(connection_.options.progress_timeout)));
  }
  return FromGrpc(status_, connection_.cancellation);
}

void* RawStream::Begin(Operation operation) {
  pending_.set(operation);
  succeeded_.reset(operation);
  return &tags_[operation];
}

bool RawStream::Await(Operation operation) {
  while (pending_[operation]) {
    void* tag = nullptr;
    bool ok = false;
    const absl::Duration timeout =
        timed_out_ ? absl::InfiniteDuration() : connection_.options.progress_timeout;  // Once cancelled, all ends soon.
    switch (queue_.AsyncNext(&tag, &ok, DeadlineAfter(timeout))) {
      case grpc::CompletionQueue::GOT_EVENT:
        Complete(tag, ok);
        break;
      case grpc::CompletionQueue::TIMEOUT:
        timed_out_ = true;
        context_.TryCancel();
        break;
      case grpc::CompletionQueue::SHUTDOWN:
        return false;
    }
  }
  return succeeded_[operation];
}

void RawStream::Complete(const void* tag, bool ok) {
  const auto operation = static_cast<std::size_t>(static_cast<const char*>(tag) - tags_);
  pending_.reset(operation);
  succeeded_.set(operation, ok);
}

void RawStream::BeginRead() { call_->Read(&incoming_, Begin(kRead)); }

}  // namespace cairn::sdk
