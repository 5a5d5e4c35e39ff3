#include "bench/ingest_sink.h"

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn::bench {
namespace {

class CountingReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  explicit CountingReactor(grpc::ByteBuffer* response) : response_(response) { StartRead(&buffer_); }

  // As the gateway does, the next message is asked for before this one is looked at.
  void OnReadDone(bool ok) override {
    if (!ok) return Answer();
    grpc::ByteBuffer message;
    message.Swap(&buffer_);
    StartRead(&buffer_);
    bytes_ += message.Length();
  }
  void OnDone() override { delete this; }

 private:
  void Answer() {
    const grpc::Slice slice(std::to_string(bytes_));
    *response_ = grpc::ByteBuffer(&slice, 1);
    Finish(grpc::Status::OK);
  }

  grpc::ByteBuffer* response_;
  grpc::ByteBuffer buffer_;
  std::uint64_t bytes_ = 0;
};

class Sink final : public v1::Federation::WithRawCallbackMethod_Push<v1::Federation::Service> {
 public:
  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext*, grpc::ByteBuffer* response) override {
    return new CountingReactor(response);
  }
};

}  // namespace

int RunSink() {
  Sink sink;
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
