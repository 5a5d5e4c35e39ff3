#include <memory>
#include <string>
#include <thread>

#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

using ::testing::HasSubstr;
using v1::ClientProgress;

class AwaitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.SetRound(TestingRound(1, v1::ROUND_PHASE_WAITING, ClientProgress::STATE_JOINED));
    server_.Start();
    auto client = Client::Join(TestingOptions(server_));
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  // Runs `action` when the client's watch number `count` has begun.
  template <typename Action>
  std::thread AfterWatch(int count, Action action) {
    return std::thread([this, count, action] {
      server_.WaitFor([count](const TestingState& state) { return state.watches >= count; });
      action();
    });
  }

  TestingServer server_;
  std::unique_ptr<Client> client_;
};

TEST_F(AwaitTest, ReturnsTheRoundThatIsAlreadyOpen) {
  v1::RoundInfo info = TestingRound(4, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_UPLOADING);
  info.set_start(v1::ROUND_START_WARM);
  info.set_version_sha256("three");
  info.set_previous_sha256("two");
  info.set_deadline_unix_ms(1'700'000'000'000);
  server_.SetRound(info);
  const auto round = client_->AwaitRound();
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_EQ(round->number, 4u);
  EXPECT_EQ(round->version, 3u);
  EXPECT_EQ(round->start, StartMode::kWarm);
  EXPECT_EQ(round->version_sha256, "three");
  EXPECT_EQ(round->previous_sha256, "two");
  EXPECT_EQ(round->deadline, absl::FromUnixSeconds(1'700'000'000));
  info.set_start(v1::ROUND_START_RESIDUAL);
  server_.SetRound(info);
  EXPECT_EQ(client_->AwaitRound()->start, StartMode::kResidual);
}

TEST_F(AwaitTest, WaitsWhileItsContributionIsIn) {
  server_.SetRound(TestingRound(1, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_CONTRIBUTED));
  std::thread next = AfterWatch(1, [this] {
    server_.SetRound(TestingRound(1, v1::ROUND_PHASE_AGGREGATING, ClientProgress::STATE_CONTRIBUTED));
    server_.SetRound(TestingRound(2, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_JOINED));
  });
  const auto round = client_->AwaitRound();
  next.join();
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_EQ(round->number, 2u);
  EXPECT_EQ(round->deadline, absl::InfiniteFuture());
}

TEST_F(AwaitTest, SurvivesABrokenWatchAndARestart) {
  std::thread faults([this] {
    server_.WaitFor([](const TestingState& state) { return state.watches == 1; });
    server_.BreakWatches();
    server_.WaitFor([](const TestingState& state) { return state.watches == 2; });
    server_.Stop();
    server_.SetRound(TestingRound(1, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_JOINED));
    server_.Start();
  });
  const auto round = client_->AwaitRound();
  faults.join();
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_EQ(round->number, 1u);
}

TEST_F(AwaitTest, TheEndOfTheFederationIsOutOfRange) {
  server_.SetRound(TestingRound(3, v1::ROUND_PHASE_FINISHED, ClientProgress::STATE_CONTRIBUTED));
  EXPECT_EQ(client_->AwaitRound().status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(AwaitTest, TheTimeoutSaysWhatTheServerWaitsFor) {
  const absl::Status status = client_->AwaitRound(absl::Milliseconds(200)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 of 2; client-2"));
}

TEST_F(AwaitTest, TheTimeoutHoldsWithoutAServerToo) {
  ClientOptions options = TestingOptions(server_);
  options.retry.initial_backoff = options.retry.max_backoff = absl::Hours(1);  // A pause does not outlast the timeout.
  auto client = Client::Join(options);
  ASSERT_TRUE(client.ok()) << client.status();
  server_.Stop();
  EXPECT_EQ((*client)->AwaitRound(absl::Milliseconds(50)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AwaitTest, CancelFromAnotherThread) {
  std::thread canceller = AfterWatch(1, [this] { client_->Cancel(); });
  EXPECT_EQ(client_->AwaitRound().status().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_F(AwaitTest, JoinsAgainWhereTheServerForgotTheClient) {
  v1::RoundInfo stranger = TestingRound(1, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_JOINED);
  stranger.mutable_clients(0)->set_client("client-2");
  server_.SetRound(stranger);
  std::thread remember([this] {
    server_.WaitFor([](const TestingState& state) { return state.joined.size() == 2; });
    server_.SetRound(TestingRound(1, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_JOINED));
  });
  const auto round = client_->AwaitRound();
  remember.join();
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_EQ(server_.With([](TestingState& state) { return state.joined.size(); }), 2u);
}

}  // namespace
}  // namespace cairn::sdk
