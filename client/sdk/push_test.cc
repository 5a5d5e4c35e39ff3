#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kPayloadBytes = 3'500'000;  // Three whole chunks and a part.

std::string Noise(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

class PushTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.Start();
    Join(TestingOptions(server_));
  }
  void Join(const ClientOptions& options) {
    auto client = Client::Join(options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  void Script(PushFault fault) {
    server_.With([&](TestingState& state) { state.push_faults.push_back(std::move(fault)); });
  }
  absl::StatusOr<Receipt> Push(const ProgressCallback& progress = nullptr) {
    return client_->PushBytes(Round{3}, "{}", payload_, 10, progress);
  }
  std::vector<std::uint64_t> Offsets() {
    return server_.With([](TestingState& state) { return state.push_offsets; });
  }
  void ExpectServerHoldsPayload() {
    EXPECT_TRUE(server_.With([&](TestingState& state) { return state.uploads[sha256_]; }) == payload_);
  }

  const std::string payload_ = Noise(kPayloadBytes);
  const std::string sha256_ = Sha256Hex(payload_);
  TestingServer server_;
  std::unique_ptr<Client> client_;
};

TEST_F(PushTest, DeliversEveryByteAndReturnsTheReceipt) {
  const auto receipt = Push();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->sha256, sha256_);
  EXPECT_EQ(receipt->bytes, kPayloadBytes);
  EXPECT_EQ(receipt->received, absl::FromUnixSeconds(1'700'000'000));
  ExpectServerHoldsPayload();
}

TEST_F(PushTest, TakesAnAdapterDirectory) {
  std::string name = (std::filesystem::temp_directory_path() / "cairn-push-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const std::filesystem::path directory = name;
  EXPECT_EQ(client_->Push(Round{3}, directory, 10).status().code(), absl::StatusCode::kNotFound);
  std::ofstream(directory / "adapter_config.json") << "{}";
  std::ofstream(directory / "adapter_model.safetensors", std::ios::binary) << payload_;
  const auto receipt = client_->Push(Round{3}, directory, 10);
  EXPECT_TRUE(receipt.ok()) << receipt.status();
  ExpectServerHoldsPayload();
  std::filesystem::remove_all(directory);
}

TEST_F(PushTest, GoesOnAtTheByteWhereItBroke) {
  Script({.break_at = 1'234'567});
  Script({.break_at = 3'000'001});
  const auto receipt = Push();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_THAT(Offsets(), ElementsAre(0, 1'234'567, 3'000'001));
  ExpectServerHoldsPayload();
}

TEST_F(PushTest, SendsOnlyTheTrailerWhenNothingElseIsMissing) {
  Script({.break_at = kPayloadBytes});
  ASSERT_TRUE(Push().ok());
  EXPECT_THAT(Offsets(), ElementsAre(0, kPayloadBytes));
}

TEST_F(PushTest, ProgressNeverGoesBackAndEndsAtTheTotal) {
  Script({.break_at = 1'234'567});
  std::vector<std::uint64_t> reached;
  ASSERT_TRUE(Push([&](std::uint64_t done, std::uint64_t total) {
                EXPECT_EQ(total, kPayloadBytes);
                reached.push_back(done);
              }).ok());
  ASSERT_FALSE(reached.empty());
  EXPECT_TRUE(std::is_sorted(reached.begin(), reached.end()));
  EXPECT_EQ(reached.back(), kPayloadBytes);
}

TEST_F(PushTest, ALostReceiptIsFetchedWithoutSendingAgain) {
  Script({.lose_receipt = true});
  const auto receipt = Push();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->sha256, sha256_);
  EXPECT_THAT(Offsets(), ElementsAre(0));
}

TEST_F(PushTest, PushingTwiceReturnsTheSameReceipt) {
  const auto first = Push();
  const auto second = Push();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->received, second->received);
  EXPECT_EQ(Offsets().size(), 1u);
}

TEST_F(PushTest, TakesAReceiptThatComesBeforeTheBytes) {
  Script({.receipt_at_header = true});
  const auto receipt = Push();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->sha256, sha256_);
  EXPECT_THAT(Offsets(), ElementsAre(0));
}

TEST_F(PushTest, AFinalErrorStopsAtOnceWithTheServersWords) {
  Script({.answer_at_header = {grpc::StatusCode::INVALID_ARGUMENT, "module q_proj: rank 8; lora_A has 4"}});
  const absl::Status status = Push().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "push round 3 of client-1: module q_proj: rank 8; lora_A has 4");
  EXPECT_EQ(Offsets().size(), 1u);
}

TEST_F(PushTest, DataLossAndBusyServersAreTriedAgain) {
  Script({.answer_at_header = {grpc::StatusCode::DATA_LOSS, "chunk: crc32c"}});
  Script({.answer_at_header = {grpc::StatusCode::RESOURCE_EXHAUSTED, "memory budget"}});
  Script({.answer_at_header = {grpc::StatusCode::ABORTED, "another stream took over"}});
  const auto receipt = Push();
  EXPECT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(Offsets().size(), 4u);
}

TEST_F(PushTest, BreakingAtTheSameByteForeverIsNoProgress) {
  for (int i = 0; i < 1000; ++i) Script({.break_at = 1000});
  ClientOptions options = TestingOptions(server_);
  options.retry.give_up_after = absl::Milliseconds(100);
  Join(options);
  const absl::Status status = Push().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("scripted break"));
}

TEST_F(PushTest, AStandstillIsBrokenOffAndTriedAgain) {
  Script({.silent = true});
  ClientOptions options = TestingOptions(server_);
  options.progress_timeout = absl::Milliseconds(300);
  std::string first_failure;
  options.on_retry = [&](const absl::Status& failure, absl::Duration) {
    if (first_failure.empty()) first_failure = std::string(failure.message());
  };
  Join(options);
  const auto receipt = Push();
  EXPECT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_THAT(first_failure, HasSubstr("no progress for 300ms"));
}

TEST_F(PushTest, CancelFromAnotherThreadEndsAStuckUpload) {
  Script({.silent = true});
  std::thread canceller([this] {
    server_.WaitFor([](const TestingState& state) { return !state.push_offsets.empty(); });
    client_->Cancel();
  });
  EXPECT_EQ(Push().status().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_F(PushTest, CancelEndsAPause) {
  for (int i = 0; i < 10; ++i) Script({.break_at = 1000});
  ClientOptions options = TestingOptions(server_);
  options.retry.initial_backoff = options.retry.max_backoff = absl::Hours(1);
  std::thread canceller;
  options.on_retry = [&](const absl::Status&, absl::Duration) {
    canceller = std::thread([this] { client_->Cancel(); });
  };
  Join(options);
  EXPECT_EQ(Push().status().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_F(PushTest, SurvivesARestartOfTheServer) {
  Script({.break_at = 2'000'000});
  ClientOptions options = TestingOptions(server_);
  int restarts = 0;
  options.on_retry = [&](const absl::Status&, absl::Duration) {
    if (restarts++ > 0) return;
    server_.Stop();
    server_.Start();
  };
  Join(options);
  const auto receipt = Push();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_THAT(Offsets(), ElementsAre(0, 2'000'000));
  ExpectServerHoldsPayload();
}

TEST_F(PushTest, JoinsOnceMoreWhereTheServerForgotTheClient) {
  server_.With([](TestingState& state) { state.knows_client = false; });
  EXPECT_TRUE(Push().ok());
  EXPECT_THAT(server_.With([](TestingState& state) { return state.joined; }), ElementsAre("client-1", "client-1"));
  Script({.answer_at_header = {grpc::StatusCode::NOT_FOUND, "round 9"}});
  Script({.answer_at_header = {grpc::StatusCode::NOT_FOUND, "round 9"}});
  EXPECT_EQ(client_->PushBytes(Round{9}, "{}", "other bytes", 1).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PushTest, RefusesAnUpdateThatNoServerWouldTake) {
  EXPECT_EQ(client_->PushBytes(Round{3}, "{}", payload_, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->PushBytes(Round{3}, "{}", "", 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->PushBytes(Round{}, "{}", payload_, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Offsets().empty());
}

}  // namespace
}  // namespace cairn::sdk
