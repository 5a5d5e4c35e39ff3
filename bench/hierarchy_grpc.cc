#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "bench/hierarchy_arrivals.h"
#include "bench/hierarchy_contenders.h"
#include "bench/hierarchy_landing.h"
#include "bench/hierarchy_sockets.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn::bench {
namespace {

constexpr char kMethod[] = "/cairn.v1.Federation/Push";  // Any client-streaming method would do.
constexpr std::size_t kMessageBytes = limits::kChunkBytes;
// What makes gRPC 1.51 fastest here: by a third, compared with its defaults.
constexpr int kLookaheadBytes = 16 << 20;
constexpr int kReadBytes = 1 << 20, kReadBytesMax = 4 << 20;
constexpr int kWriteBytes = 4 << 20;

// A client-streaming call, as blocking steps.
class Call {
 public:
  explicit Call(grpc::GenericStub& stub) : call_(stub.PrepareCall(&context_, kMethod, &queue_)) {
    call_->StartCall(this);
    ok_ = Await();
  }
  ~Call() {
    context_.TryCancel();  // Nothing, after Finish.
    queue_.Shutdown();
    while (Await()) continue;
  }
  void Write(absl::string_view bytes) {
    const grpc::Slice slice(bytes.data(), bytes.size(), grpc::Slice::STATIC_SLICE);
    call_->Write(grpc::ByteBuffer(&slice, 1), this);
    ok_ = Await() && ok_;
  }
  absl::Status Finish() {
    call_->WritesDone(this);
    ok_ = Await() && ok_;
    grpc::ByteBuffer answer;
    call_->Read(&answer, this);
    ok_ = Await() && ok_;
    grpc::Status status;
    call_->Finish(&status, this);
    ok_ = Await() && ok_;
    if (ok_ && status.ok()) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("gRPC: ", status.error_message()));
  }

 private:
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool ok_ = false;
};

class GrpcOutbox final : public Outbox {
 public:
  GrpcOutbox(const std::shared_ptr<grpc::Channel>& channel, Landing landing)
      : stub_(channel), landing_(std::move(landing)) {}
  absl::StatusOr<absl::Span<char>> Room() override { return landing_.room(); }
  // Until the receiver has answered that it has all of it: the slices point at the update until then.
  absl::Status Send() override {
    Call call(stub_);
    for (absl::string_view rest = landing_.bytes(); !rest.empty();
         rest.remove_prefix(std::min(rest.size(), kMessageBytes))) {
      call.Write(rest.substr(0, kMessageBytes));
    }
    return call.Finish();
  }

 private:
  grpc::GenericStub stub_;
  const Landing landing_;
};

class Receiver final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  Receiver(Arrivals* arrivals, std::uint64_t bytes, std::atomic<std::uint64_t>* copied, grpc::ByteBuffer* response)
      : arrivals_(arrivals), bytes_(bytes), copied_(copied), response_(response), slab_(arrivals->Room()) {
    std::lock_guard lock(mutex_);
    StartRead(&buffer_);
  }
  // The next message is asked for before this one is copied.
  void OnReadDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok) return Answer();
    grpc::ByteBuffer message;
    message.Swap(&buffer_);
    StartRead(&buffer_);
    if (slab_.ok()) Append(message);
  }
  void OnDone() override {
    { std::lock_guard lock(mutex_); }  // Whoever called Finish has let go.
    delete this;
  }

 private:
  void Append(const grpc::ByteBuffer& message) {
    std::vector<grpc::Slice> slices;
    if (!message.Dump(&slices).ok() || at_ + message.Length() > bytes_) {
      slab_ = absl::InternalError("a message that does not fit");
      return;
    }
    for (const grpc::Slice& slice : slices) {
      std::memcpy(slab_->data() + at_, slice.begin(), slice.size());
      at_ += slice.size();
    }
    *copied_ += message.Length();
  }
  void Answer() {
    if (slab_.ok() && at_ != bytes_) slab_ = absl::DataLossError("an update that is too short");
    arrivals_->Put(std::move(slab_));
    const grpc::Slice nothing("");
    *response_ = grpc::ByteBuffer(&nothing, 1);
    Finish(grpc::Status::OK);
  }

  Arrivals* const arrivals_;
  const std::uint64_t bytes_;
  std::atomic<std::uint64_t>* const copied_;
  grpc::ByteBuffer* const response_;
  std::mutex mutex_;
  grpc::ByteBuffer buffer_;
  absl::StatusOr<Slab> slab_;
  std::uint64_t at_ = 0;
};

class GrpcInbox final : public Inbox, v1::Federation::WithRawCallbackMethod_Push<v1::Federation::Service> {
 public:
  explicit GrpcInbox(const HierarchyEnds& ends) : ends_(ends), arrivals_(ends) {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
    builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadBytes);
    builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBytesMax);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  absl::Status TellPort() {
    if (server_ == nullptr) return absl::UnavailableError("gRPC: no server");
    return SendValue(ends_.peer, port_);
  }
  absl::StatusOr<Arrival> Take() override { return arrivals_.Take(); }
  bool Waiting() override { return arrivals_.Waiting(); }
  std::uint64_t TakeCopied() override { return copied_.exchange(0); }

 private:
  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext*, grpc::ByteBuffer* response) override {
    return new Receiver(&arrivals_, ends_.bytes, &copied_, response);
  }

  const HierarchyEnds ends_;
  Arrivals arrivals_;
  std::atomic<std::uint64_t> copied_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;  // Ends first.
};

}  // namespace

absl::StatusOr<std::unique_ptr<Outbox>> MakeGrpcOutbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(Landing landing, Landing::Make(ends.bytes));
  int port = 0;
  CAIRN_RETURN_IF_ERROR(ReceiveValue(ends.peer, port));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, kWriteBytes);
  const auto channel =
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials(), arguments);
  return std::make_unique<GrpcOutbox>(channel, std::move(landing));
}

absl::StatusOr<std::unique_ptr<Inbox>> MakeGrpcInbox(const HierarchyEnds& ends) {
  auto inbox = std::make_unique<GrpcInbox>(ends);
  CAIRN_RETURN_IF_ERROR(inbox->TellPort());
  return inbox;
}

}  // namespace cairn::bench
