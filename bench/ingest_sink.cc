#include "bench/ingest_sink.h"

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "adapter/dtype.h"
#include "base/digest.h"
#include "base/limits.h"
#include "proto/cairn/v1/federation.grpc.pb.h"
#include "wire/frame.h"

namespace cairn::bench {
namespace {

// Warm memory for one upload at a time and connection, as the store's slabs are.
class TargetPool {
 public:
  std::string Take() {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::string(kTargetBytes, '\1');
    std::string target = std::move(idle_.back());
    idle_.pop_back();
    return target;
  }
  void Return(std::string target) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(target));
  }

 private:
  static constexpr std::size_t kTargetBytes = 66 * limits::kMiB;
  std::mutex mutex_;
  std::vector<std::string> idle_;
};

class SinkReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  SinkReactor(SinkWork work, TargetPool* pool, grpc::ByteBuffer* response)
      : work_(work), pool_(pool), response_(response) {
    if (work_ >= kCopyToMemory) target_ = pool_->Take();
    std::lock_guard lock(mutex_);
    StartRead(&buffer_);
  }

  // As in the gateway, the next message is asked for before this one is looked at.
  void OnReadDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok) return Answer();
    grpc::ByteBuffer message;
    message.Swap(&buffer_);
    StartRead(&buffer_);
    if (work_ > kCount) Process(message);
  }
  void OnDone() override {
    { std::lock_guard lock(mutex_); }  // Whoever called Finish has let go.
    if (work_ >= kCopyToMemory) pool_->Return(std::move(target_));
    delete this;
  }

 private:
  void Process(const grpc::ByteBuffer& message) {
    const auto frame = wire::ReceivedFrame::Parse(message);
    if (!frame.ok() || frame->prefix().kind != wire::FrameKind::kChunk) return;
    if (!frame->VerifyChecksum().ok()) std::abort();
    if (work_ == kChecksum) return;
    for (const absl::string_view slice : frame->slices()) {
      // Only the sums count here: where tensors begin is not looked at.
      if (work_ >= kCheckFinite) finite_ += FirstNonFinite(DType::kF32, slice.data(), slice.size() / sizeof(float));
      if (work_ >= kSha256) sha_.Update(slice);
      std::memcpy(&target_[bytes_], slice.data(), slice.size());
      bytes_ += slice.size();
    }
  }

  void Answer() {
    const grpc::Slice slice(std::to_string(bytes_ + finite_));
    *response_ = grpc::ByteBuffer(&slice, 1);
    Finish(grpc::Status::OK);
  }

  const SinkWork work_;
  TargetPool* pool_;
  grpc::ByteBuffer* response_;
  std::mutex mutex_;
  grpc::ByteBuffer buffer_;
  std::string target_;
  std::uint64_t bytes_ = 0, finite_ = 0;
  Sha256 sha_;
};

class Sink final : public v1::Federation::WithRawCallbackMethod_Push<v1::Federation::Service> {
 public:
  explicit Sink(SinkWork work) : work_(work) {}
  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext*, grpc::ByteBuffer* response) override {
    return new SinkReactor(work_, &pool_, response);
  }

 private:
  const SinkWork work_;
  TargetPool pool_;
};

}  // namespace

int RunSink(SinkWork work) {
  Sink sink(work);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  builder.SetMaxSendMessageSize(static_cast<int>(limits::kMessageBytesMax));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&sink);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace cairn::bench
