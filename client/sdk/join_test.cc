#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Join, WaitsForALateServer) {
  TestingServer server;
  ClientOptions options = TestingOptions(server);
  int pauses = 0;
  options.on_retry = [&](const absl::Status& failure, absl::Duration) {
    EXPECT_EQ(failure.code(), absl::StatusCode::kUnavailable) << failure;
    if (++pauses == 2) server.Start();
  };
  const auto client = Client::Join(options);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_GE(pauses, 2);
  EXPECT_THAT(server.With([](TestingState& state) { return state.joined; }), ElementsAre("client-1"));
}

TEST(Join, SendsModulesAndTensorsInTheOrderOfTheirBytes) {
  TestingServer server;
  server.Start();
  const AdapterShape shape{"base",
                           {{"layers.2.q", 8, 16}, {"layers.10.q", 4, 32}, {"layers.1.q", 2, 64, "embedding"}},
                           {{"norm", {8}}, {"bias", {2, 3}}}};
  const auto client = Client::Join(TestingOptions(server), shape);
  ASSERT_TRUE(client.ok()) << client.status();
  const v1::AdapterSpec spec = server.With([](TestingState& state) { return state.joined_spec; });
  EXPECT_EQ(spec.base_model(), "base");
  std::vector<std::string> modules;
  for (const v1::ModuleSpec& module : spec.modules()) {
    modules.push_back(absl::StrCat(module.name(), " ", module.d_in(), "x", module.d_out(), module.layer()));
  }
  for (const v1::TensorSpec& tensor : spec.tensors()) {
    modules.push_back(absl::StrCat(tensor.name(), " ", absl::StrJoin(tensor.shape(), "x")));
  }
  EXPECT_THAT(modules,
              ElementsAre("layers.1.q 2x64embedding", "layers.10.q 4x32", "layers.2.q 8x16", "bias 2x3", "norm 8"));
}

TEST(Join, GivesUpWithinThePolicyAndSaysWhatItDid) {
  TestingServer server;  // Never started.
  ClientOptions options = TestingOptions(server);
  options.retry.give_up_after = absl::Milliseconds(50);
  const absl::Status status = Client::Join(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("join test as client-1 at " + server.address()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up after"));
}

TEST(Join, AFinalAnswerIsNotRetried) {
  TestingServer server;
  server.Start();
  server.With([](TestingState& state) {
    state.join_answer = {grpc::StatusCode::FAILED_PRECONDITION, "module q_proj: d_in 8; the federation has 16"};
  });
  const absl::Status status = Client::Join(TestingOptions(server)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("d_in 8; the federation has 16"));
  EXPECT_EQ(server.With([](TestingState& state) { return state.joined.size(); }), 1u);
}

TEST(Join, RefusesOptionsBeforeConnecting) {
  TestingServer server;
  for (const auto spoil : std::vector<void (*)(ClientOptions&)>{
           [](ClientOptions& o) { o.server.clear(); }, [](ClientOptions& o) { o.federation = "../etc"; },
           [](ClientOptions& o) { o.client.clear(); }, [](ClientOptions& o) { o.rpc_deadline = absl::ZeroDuration(); },
           [](ClientOptions& o) { o.retry.multiplier = 0; },
           [](ClientOptions& o) { o.tls.certificate = "client.pem"; },  // Without its key.
       }) {
    ClientOptions options = TestingOptions(server);
    spoil(options);
    EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kInvalidArgument);
  }
  ClientOptions options = TestingOptions(server);
  options.tls.root_ca = "/nonexistent/ca.pem";
  const absl::Status status = Client::Join(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/ca.pem"));
}

TEST(Leave, SurvivesARestartOfTheServer) {
  TestingServer server;
  server.Start();
  ClientOptions options = TestingOptions(server);
  options.on_retry = [&](const absl::Status&, absl::Duration) {
    server.Stop();
    server.Start();
  };
  auto client = Client::Join(options);
  ASSERT_TRUE(client.ok()) << client.status();
  server.Stop();
  EXPECT_TRUE((*client)->Leave().ok());
  EXPECT_EQ(server.With([](TestingState& state) { return state.leaves; }), 1);
}

TEST(Cancel, RefusesEveryLaterCall) {
  TestingServer server;
  server.Start();
  auto client = Client::Join(TestingOptions(server));
  ASSERT_TRUE(client.ok()) << client.status();
  (*client)->Cancel();
  EXPECT_EQ((*client)->Leave().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((*client)->AwaitRound().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((*client)->PushBytes(Round{1}, "{}", "bytes", 1).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((*client)->Pull(1, Form::kAdapter, "/tmp/cairn-never-written").status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace cairn::sdk
