// The server as a program: how it starts, what it says, how it stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/test_directory.h"
#include "tests/integration/remote.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::vector<ModuleSpec> kModules = {{"block.up", 4000, 4000}};

UpdateBytes Update(std::uint64_t seed) { return MakeUpdateBytes(seed, kModules, 16, 16, DType::kF32); }

class ServeTest : public ::testing::Test {
 protected:
  void Serve(const std::string& config) {
    server_ = std::make_unique<ServerProcess>(directory_.path(), config);
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  std::unique_ptr<Client> Join(const std::string& name, const std::vector<ModuleSpec>& modules = kModules) {
    auto client = Client::Join(FastOptions(server_->address(), "f", name), ShapeOf(modules));
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  static absl::Status Push(Client& client, const UpdateBytes& update) {
    return client.PushBytes(Round{1}, update.config_json, update.safetensors, 10).status();
  }

  static Outcome Cairn(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BuiltProgram("cairn"));
    const auto outcome = RunCommand(std::move(arguments));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(Outcome{-1, ""});
  }

  // What `cairn serve` makes of a file.
  Outcome ServeFile(const std::string& text, const std::string& flag = "--print-config") {
    const fs::path path = directory_ / "some.yaml";
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return Cairn({"serve", "--config", path.string(), flag});
  }

  const TestDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(ServeTest, ASecondServerOnTheDirectoryIsRefused) {
  Serve("federations:\n  - {name: f}\n");
  const Outcome second = Cairn({"serve", "--config", server_->config_path().string()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.output, AllOf(HasSubstr("belongs to a running server"), HasSubstr(server_->data_dir().string()),
                                   HasSubstr(absl::StrCat(server_->child().pid()))));
  EXPECT_NE(Join("ada"), nullptr);  // The first goes on, and its files are there.
  EXPECT_TRUE(fs::exists(server_->data_dir() / "endpoint"));
}

TEST_F(ServeTest, ADirectoryThatCannotBeWrittenToIsNotARunningServers) {
  const fs::path data = directory_ / "data";
  ASSERT_TRUE(fs::create_directories(data / "cairn.lock"));  // As root every directory can be written to.
  const Outcome refused = ServeFile(absl::StrCat("data_dir: ", data.string(), "\nfederations: [{name: f}]\n"), "-w0");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("cannot be written to"), Not(HasSubstr("belongs to"))));
}

TEST_F(ServeTest, FailpointsAreCheckedAndTold) {
  server_ = std::make_unique<ServerProcess>(directory_.path(), "federations: [{name: f}]\n");
  server_->set_environment({"CAIRN_FAILPOINTS=a.point=explode"});
  EXPECT_THAT(server_->Start().message(), HasSubstr("expected kill, stop, hang, sleep:MS, error or full"));
  server_->set_environment({"CAIRN_FAILPOINTS=a.point=kill"});
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_THAT(server_->Log(), HasSubstr("failpoints are armed"));
}

TEST_F(ServeTest, WatchGoesOnWhenTheServerIsBack) {
  Serve("federations: [{name: f}]\n");
  const fs::path log = directory_ / "watch.log";
  auto watch = Child::Spawn({BuiltProgram("cairn"), "watch", "f", "--server", server_->address()}, log);
  ASSERT_TRUE(watch.ok()) << watch.status();
  const auto await = [&](std::size_t snapshots, const std::string& words) {
    while (!watch->ExitCode()) {
      const std::string text = ReadFile(log, limits::kMiB).value_or("");
      std::size_t seen = 0;
      for (std::size_t at = 0; (at = text.find("snapshot", at)) != std::string::npos; ++at) ++seen;
      if (seen >= snapshots && text.find(words) != std::string::npos) return true;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return false;
  };
  ASSERT_TRUE(await(1, "")) << ReadFile(log, limits::kMiB).value_or("");
  server_->Kill();
  ASSERT_TRUE(await(1, "Trying again")) << ReadFile(log, limits::kMiB).value_or("");
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_TRUE(await(2, "")) << ReadFile(log, limits::kMiB).value_or("");
}

TEST_F(ServeTest, AWorkerIsToldWhichDirectoryItNeeds) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "node", "n1\n").ok());
  const Outcome worker = Cairn({"worker", "--node", (directory_ / "node").string()});
  EXPECT_EQ(worker.exit_code, 1);
  EXPECT_THAT(worker.output, HasSubstr("DATA_DIR/workers of a gateway"));
}

TEST_F(ServeTest, PrintsTheEffectiveConfiguration) {
  const Outcome printed = ServeFile("data_dir: somewhere\nfederations:\n  - {name: f, clients: {min: 2}}\n");
  EXPECT_EQ(printed.exit_code, 0);
  EXPECT_THAT(printed.output, AllOf(HasSubstr("data_dir: somewhere"), HasSubstr("combine: stack"),
                                    HasSubstr("rule: examples"), HasSubstr("publish: stack"), HasSubstr("target: 2"),
                                    HasSubstr("progress_timeout: \"10m\""), HasSubstr("durability: durable")));
  EXPECT_EQ(ServeFile(printed.output).output, printed.output);
  EXPECT_FALSE(fs::exists("somewhere"));
}

TEST_F(ServeTest, ConfigurationErrorsNameLineAndKey) {
  const std::string head = "data_dir: somewhere\nfederations:\n";
  const auto expect = [&](const std::string& text, const std::vector<std::string>& says) {
    const Outcome outcome = ServeFile(text);
    EXPECT_EQ(outcome.exit_code, 1) << text;
    for (const std::string& words : says) EXPECT_THAT(outcome.output, HasSubstr(words));
  };
  expect(head + "  - name: f\n    ruel: mean\n", {"some.yaml:4:", "federations[0].ruel", "rule"});
  expect(head + "  - name: f\n    deadline: soon\n", {"some.yaml:4:", "federations[0].deadline", "soon"});
  expect(head + "  - name: f\n    clients: {min: two}\n", {"some.yaml:4:", "federations[0].clients.min", "two"});
  expect(head + "  - {name: f, combine: best}\n", {"some.yaml:3:24: key", "federations[0].combine", "stack", "best"});
  expect(head + "  - {name: f, rule: mean}\n", {"federations[0].rule", "write `combine: mean`"});
  expect(head + "  - {name: f}\n  - {name: f}\n", {"federations[1].name", "twice"});
  expect("federations: [{name: f}]\n", {"data_dir"});
  const Outcome missing = Cairn({"serve", "--config", (directory_ / "none.yaml").string()});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.output, HasSubstr("none.yaml"));
}

// One message to a method, and its first answer, as bytes: these services' protobuf code is not part of gRPC's
// packages.
absl::StatusOr<std::string> Exchange(sdk::Connection& connection, const std::string& method,
                                     const std::string& request) {
  sdk::RawStream stream(connection, method);
  const grpc::Slice slice(request);
  stream.Write(grpc::ByteBuffer(&slice, 1));
  const bool closed = stream.WritesDone();
  grpc::ByteBuffer answer;
  const bool answered = stream.Read(&answer);
  // A RawStream takes no writes while an answer is at hand; reflection goes on until its client has closed.
  if (!closed) stream.WritesDone();
  if (absl::Status status = stream.Finish(); !status.ok()) return status;
  std::vector<grpc::Slice> slices;
  if (!answered || !answer.Dump(&slices).ok()) return absl::InternalError("no answer");
  std::string bytes;
  for (const grpc::Slice& part : slices) bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  return bytes;
}

TEST_F(ServeTest, AnswersHealthAndReflection) {
  Serve("federations:\n  - {name: f}\n");
  const auto connection = Connect(FastOptions(server_->address(), "f", "observer"));
  const auto health = Exchange(*connection, "/grpc.health.v1.Health/Check", "");
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(*health, "\x08\x01");  // status = SERVING
  const auto services = Exchange(*connection, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                 "\x3a\x01*");  // list_services = "*"
  ASSERT_TRUE(services.ok()) << services.status();
  EXPECT_THAT(*services, HasSubstr("cairn.v1.Federation"));
}

TEST_F(ServeTest, ServesHttp) {
  Serve("federations:\n  - {name: f, clients: {min: 2}}\n");
  EXPECT_THAT(*HttpGet(server_->metrics_address(), "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(*HttpGet(server_->metrics_address(), "/readyz"), StartsWith("HTTP/1.1 200"));
  const auto ada = Join("ada"), bob = Join("bob");
  ASSERT_TRUE(Push(*ada, Update(1)).ok());
  const std::string metrics = *HttpGet(server_->metrics_address(), "/metrics");
  EXPECT_THAT(metrics,
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("cairn_round{federation=\"f\"} 1\n"),
                    HasSubstr("cairn_round_contributions{federation=\"f\"} 1\n"),
                    HasSubstr("cairn_round_contributions_wanted{federation=\"f\"} 2\n"),
                    HasSubstr("cairn_round_phase{federation=\"f\",phase=\"open\"} 1\n"),
                    HasSubstr("cairn_inflight_uploads{federation=\"f\"} 0\n"), HasSubstr("outcome=\"accepted\"")));
}

TEST_F(ServeTest, StatusSaysWhatTheRoundWaitsFor) {
  Serve("federations:\n  - {name: f, rounds: 2, clients: {min: 3}}\n");
  EXPECT_THAT(Cairn({"status", "--server", server_->address()}).output, HasSubstr("waiting"));
  const auto ada = Join("ada"), bob = Join("bob"), cyd = Join("cyd");
  ASSERT_TRUE(Push(*ada, Update(1)).ok());
  const ClientOptions options = FastOptions(server_->address(), "f", "bob");
  const auto connection = Connect(options);
  const UpdateBytes update = Update(2);
  const v1::PushHeader header = HeaderFor(options, 1, update);
  RawPush push(*connection);
  push.Header(header);
  push.Chunks(absl::string_view(update.safetensors).substr(0, 300'000));
  ASSERT_EQ(AwaitReceived(*connection, header, 300'000), 300'000u);
  const Outcome status = Cairn({"status", "--server", server_->address()});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.output, AllOf(HasSubstr("1/2"), HasSubstr("open"), HasSubstr("1 of 3; bob at "),
                                   HasSubstr("cyd not started"), Not(HasSubstr("ada"))));
  const Outcome unknown = Cairn({"status", "--server", server_->address(), "--federation", "nope"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.output, AllOf(HasSubstr("\"nope\""), HasSubstr("\"f\"")));
}

TEST_F(ServeTest, StatusOfNoServerSaysHowToStartOne) {
  const Outcome outcome = Cairn({"status", "--server", absl::StrCat("127.0.0.1:", FreePort())});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("cairn serve --config"));
}

TEST_F(ServeTest, SigtermLosesNothingAcknowledged) {
  Serve("federations:\n  - {name: f, rounds: 1, clients: {min: 2}}\n");
  const auto ada = Join("ada"), bob = Join("bob");
  ASSERT_TRUE(Push(*ada, Update(1)).ok());
  EXPECT_EQ(*server_->Terminate(), 0);
  EXPECT_FALSE(fs::exists(server_->data_dir() / "endpoint"));
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(StatusOf(server_->address(), "f")->clients(0).state(), v1::ClientProgress::STATE_CONTRIBUTED);
  ASSERT_TRUE(Push(*bob, Update(2)).ok());
  EXPECT_EQ(bob->AwaitRound(absl::Seconds(20)).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(OpenAdapterDirectory(server_->latest("f"))->adapter.modules[0].rank, 32);
}

// An upload in progress does not keep the server from stopping.
TEST_F(ServeTest, SigtermDuringAnUploadStops) {
  Serve("federations:\n  - {name: f, rounds: 1, clients: {min: 2}}\n");
  const auto ada = Join("ada"), bob = Join("bob");
  const ClientOptions options = FastOptions(server_->address(), "f", "ada");
  const auto connection = Connect(options);
  const UpdateBytes update = Update(1);
  const v1::PushHeader header = HeaderFor(options, 1, update);
  RawPush push(*connection);
  push.Header(header);
  push.Chunks(absl::string_view(update.safetensors).substr(0, 300'000));
  ASSERT_EQ(AwaitReceived(*connection, header, 300'000), 300'000u);
  EXPECT_EQ(*server_->Terminate(), 0);
}

// 6 updates of 21 MB, for which the smallest memory budget has 96 MiB.
TEST_F(ServeTest, ARoundBeyondTheMemoryBudgetIsSpilled) {
  Serve("durability: memory\nmemory_budget: 256MiB\nfederations:\n  - {name: f, rounds: 1, clients: {min: 6}}\n");
  const std::vector<ModuleSpec> modules = {{"block.up", 65'536, 65'536}};
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(Join(absl::StrCat("client-", i), modules));
  for (int i = 0; i < 6; ++i) {
    const UpdateBytes update = MakeUpdateBytes(i, modules, 40, 40, DType::kF32);
    if (i == 5) {
      EXPECT_FALSE(fs::is_empty(server_->data_dir() / "spill"));
    }
    const absl::Status pushed = Push(*clients[i], update);
    ASSERT_TRUE(pushed.ok()) << pushed;
    EXPECT_LE(MetricValue(server_->metrics_address(), "cairn_memory_used_bytes"), 96 * limits::kMiB);
  }
  EXPECT_EQ(clients[0]->AwaitRound(absl::Seconds(60)).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(OpenAdapterDirectory(server_->latest("f"))->adapter.modules[0].rank, 240);
}

}  // namespace
}  // namespace cairn::testing
