#include "client/sdk/pause.h"

#include <cstdlib>
#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

using v1::ClientProgress;

// With gRPC's usual engine the threads of the server in this process would attend to the client's sockets too, and no
// test here could fail. gRPC reads this when it is first used, which is after main has begun.
[[maybe_unused]] const bool kClientPollsForItself = setenv("GRPC_POLL_STRATEGY", "poll", /*overwrite=*/1) == 0;

constexpr absl::Duration kDowntime = absl::Milliseconds(300);
constexpr absl::Duration kSoon = absl::Seconds(4);  // Generous; gRPC left alone looks at a new connection after 5 s.

ClientOptions OptionsWithBackoff(const TestingServer& server, absl::Duration backoff) {
  ClientOptions options = TestingOptions(server);
  options.retry.initial_backoff = options.retry.max_backoff = backoff;
  return options;
}

std::thread StartLater(TestingServer& server) {
  return std::thread([&server] {
    absl::SleepFor(kDowntime);
    server.Start();
  });
}

// Over many short pauses.
TEST(Pause, JoinNoticesSoonThatTheServerIsThere) {
  TestingServer server;
  const absl::Time start = absl::Now();
  std::thread late = StartLater(server);
  const auto client = Client::Join(OptionsWithBackoff(server, absl::Milliseconds(5)));
  late.join();
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_LT(absl::Now() - start, kSoon);
}

// In one long pause, which the return of the server has to end.
TEST(Pause, AwaitRoundNoticesSoonThatTheServerIsBack) {
  TestingServer server;
  server.SetRound(TestingRound(1, v1::ROUND_PHASE_OPEN, ClientProgress::STATE_JOINED));
  server.Start();
  const auto client = Client::Join(OptionsWithBackoff(server, absl::Seconds(10)));
  ASSERT_TRUE(client.ok()) << client.status();
  server.Stop();
  const absl::Time start = absl::Now();
  std::thread late = StartLater(server);
  const auto round = (*client)->AwaitRound();
  late.join();
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_LT(absl::Now() - start, kSoon);
}

TEST(Pause, AServerThatRefusesGetsTheWholePause) {
  TestingServer server;
  server.Start();
  server.With([](TestingState& state) { state.join_answer = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many"}; });
  ClientOptions options = OptionsWithBackoff(server, absl::Hours(1));
  options.retry.give_up_after = absl::Milliseconds(200);  // Cuts the pause short, for one last attempt.
  EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(server.With([](TestingState& state) { return state.joined.size(); }), 2u);
}

TEST(Pause, CancelEndsIt) {
  TestingServer server;
  server.Start();
  std::unique_ptr<Client> client;
  std::thread canceller;
  ClientOptions options = OptionsWithBackoff(server, absl::Hours(1));
  options.on_retry = [&](const absl::Status&, absl::Duration) {
    canceller = std::thread([&client] {
      absl::SleepFor(absl::Milliseconds(20));
      client->Cancel();
    });
  };
  client = Client::Join(options).value();
  server.Stop();
  EXPECT_EQ(client->AwaitRound().status().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

}  // namespace
}  // namespace cairn::sdk
