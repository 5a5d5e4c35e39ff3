// Clients that go away at the moments when the server, and not the network, is what their upload waits for.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/cairn/v1/federation.pb.h"
#include "server/gateway/gateway.h"
#include "server/root/testing.h"
#include "wire/frame.h"

namespace cairn {
namespace {

using testing::FederationFor;
using testing::TestCoordinator;
using testing::Update;

// A Push stream that sends its header and then nothing.
class HalfPush {
 public:
  explicit HalfPush(const std::string& address)
      : stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        stream_(stub_.PrepareCall(&context_, "/cairn.v1.Federation/Push", &queue_)) {
    stream_->StartCall(nullptr);
    Next();
  }
  ~HalfPush() {
    queue_.Shutdown();
    while (Next()) continue;
  }
  void Header(const v1::PushHeader& header) {
    stream_->Write(wire::ControlFrame(wire::FrameKind::kHeader, header.SerializeAsString()), nullptr);
    Next();
  }
  grpc::StatusCode Cancel() {
    context_.TryCancel();
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Next();
    return status.error_code();
  }

 private:
  bool Next() {
    void* tag;
    bool ok;
    return queue_.Next(&tag, &ok);
  }

  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

// With both stores.
class PushCancelTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start().ok());
    ASSERT_TRUE(server_.Join("a").ok());
    auto gateway = Gateway::Start({"127.0.0.1:0", {}, 64 << 20, 1 << 20}, server_.operator->(), &server_.store(),
                                  &server_.metrics);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_ = *std::move(gateway);
    FillMemory();
  }
  void TearDown() override {
    gateway_.reset();
    held_.clear();
    AwaitNothingUsed();
  }
  // Memory that was being made for an upload counts until it is there: then the store's own thread finds that nobody
  // wants it any more. The test's time-out bounds the wait.
  void AwaitNothingUsed() {
    while (budget().used() != 0) std::this_thread::yield();
  }
  // Nothing is left for an upload.
  void FillMemory() {
    while (budget().used() < budget().capacity()) {
      auto upload = server_.Begin({"fed", 1, absl::StrCat("other-", held_.size()), "", kFileUploadReservation});
      ASSERT_TRUE(upload.ok()) << upload.status();
      held_.push_back(*std::move(upload));
    }
  }
  const ByteBudget& budget() { return server_.store().budget(); }
  v1::PushHeader Header() {
    const auto update = Update(1);
    v1::PushHeader header;
    header.set_federation("fed");
    header.set_round(1);
    header.set_client("a");
    header.set_examples(1);
    header.set_adapter_config(update.config_json);
    header.set_payload_bytes(update.safetensors.size());
    return header;
  }
  void AwaitWaiting(std::size_t uploads) {
    while (budget().waiting() != uploads) std::this_thread::yield();
  }

  TestCoordinator server_{{FederationFor("fed", "stack", 1, 2)}, GetParam()};
  std::vector<std::unique_ptr<Upload>> held_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_P(PushCancelTest, AnUploadThatWaitsForMemoryLeavesTheQueueWithItsClient) {
  HalfPush push(gateway_->address());
  push.Header(Header());
  AwaitWaiting(1);
  EXPECT_EQ(push.Cancel(), grpc::StatusCode::CANCELLED);
  AwaitWaiting(0);
}

// The cancellation comes before the wait for memory, which nothing else would end: neither the client nor the shutdown.
TEST_P(PushCancelTest, AnUploadCancelledWhileItIsAdmittedDoesNotWaitForMemory) {
  std::promise<void> held, go_on;
  server_->Snapshots("", [&](const auto&) {
    held.set_value();
    go_on.get_future().wait();
  });
  held.get_future().wait();
  {
    HalfPush push(gateway_->address());
    push.Header(Header());
    // The header must be there before the cancellation is; if it is not, this test shows less but nothing wrong.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(push.Cancel(), grpc::StatusCode::CANCELLED);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  go_on.set_value();
  gateway_.reset();  // Waits for every stream.
  EXPECT_EQ(budget().waiting(), 0u);
}

// An upload that waits for memory goes on when there is some: it was not only that nobody asked.
TEST_P(PushCancelTest, AnUploadThatWaitsForMemoryBeginsWhenThereIsSome) {
  HalfPush push(gateway_->address());
  push.Header(Header());
  AwaitWaiting(1);
  const std::uint64_t full = budget().used();
  held_.pop_back();
  AwaitWaiting(0);
  EXPECT_LE(budget().used(), full);
  EXPECT_EQ(push.Cancel(), grpc::StatusCode::CANCELLED);
}

INSTANTIATE_TEST_SUITE_P(Stores, PushCancelTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "File" : "Memory"; });

}  // namespace
}  // namespace cairn
