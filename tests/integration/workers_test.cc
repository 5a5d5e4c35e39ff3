// A server whose updates are added up by worker processes: what it publishes, whatever becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<Party> kMany = {{"ada", 4, 8, 100}, {"bob", 4, 8, 60}, {"cyd", 4, 8, 40}, {"dan", 4, 8, 7},
                                  {"eve", 4, 8, 1},   {"fay", 4, 8, 33}, {"gus", 4, 8, 90}, {"hal", 4, 8, 12}};

class WorkersTest : public FederationFixture {
 protected:
  void ServeWith(int workers, const std::string& durability, const std::string& combine) {
    clients_.clear();
    server_.reset();
    std::error_code ignored;
    fs::remove_all(directory_ / "data", ignored);
    server_ = std::make_unique<ServerProcess>(directory_.path(),
                                              absl::StrCat("durability: ", durability, "\nworkers: ", workers,
                                                           "\nfederations:\n  - {name: f, combine: ", combine,
                                                           ", rounds: 2, clients: {min: ", kMany.size(), "}}\n"));
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    JoinAll("f", kMany);
  }
  std::string Published(std::uint64_t version) const {
    const auto bytes =
        ReadFile(server_->data_dir() / "published" / "f" / absl::StrCat("v0000", version) / "adapter_model.safetensors",
                 limits::kGiB);
    return bytes.ok() ? Sha256Hex(*bytes) : bytes.status().ToString();
  }
  std::vector<std::string> RunTwoRounds() {
    RunRound(kMany, 1);
    RunRound(kMany, 2);
    ExpectFinished();
    return {Published(1), Published(2)};
  }
  void Push(std::size_t client, std::uint64_t round) {
    const absl::Status pushed =
        PushOne(*clients_[client], UpdateOf(kMany, client, round).bytes(), round, kMany[client].examples);
    ASSERT_TRUE(pushed.ok()) << pushed;
  }
  void ExpectFoldedByWorkers() {
    EXPECT_GE(MetricValue(server_->metrics_address(), "cairn_step_seconds_count{federation=\"f\",step=\"fold\"}"),
              2 * kMany.size());
    EXPECT_THAT(server_->Log(), Not(HasSubstr("adds up the updates itself")));
  }
  std::set<pid_t> AwaitWorkers(std::size_t count) {
    EXPECT_TRUE(Eventually([&] { return WorkersOf(server_->child().pid()).size() == count; }));
    return WorkersOf(server_->child().pid());
  }
};

TEST_F(WorkersTest, AnyNumberOfWorkersPublishesTheSameBytes) {
  for (const std::string combine : {"mean", "zero_pad"}) {
    ServeWith(0, "durable", combine);
    const std::vector<std::string> alone = RunTwoRounds();
    for (const std::string durability : {"durable", "memory"}) {
      for (const int workers : {1, 3}) {
        ServeWith(workers, durability, combine);
        EXPECT_EQ(RunTwoRounds(), alone) << combine << ", " << durability << ", " << workers << " workers";
        ExpectFoldedByWorkers();
      }
    }
  }
}

// Rules and guards that look at the updates, and combine rules that decompose modules: each worker has some modules.
TEST_F(WorkersTest, AnyNumberOfShardsPublishesTheSameBytes) {
  for (const std::string method :
       {"stack, rule: \"multi_krum:f=1\", guards: [nnm]", "svd", "stack, rule: flag, guards: [\"arc:f=1\"]",
        "svd, rule: \"trimmed_mean:f=2\"", "stack, rule: \"centered_clipping:tau=100\"", "residual"}) {
    ServeWith(0, "durable", method);
    const std::vector<std::string> alone = RunTwoRounds();
    for (const int workers : {1, 3}) {
      ServeWith(workers, workers == 1 ? "memory" : "durable", method);
      EXPECT_EQ(RunTwoRounds(), alone) << method << ", " << workers << " workers";
      EXPECT_THAT(server_->Log(), Not(HasSubstr("combines the updates itself")));
      EXPECT_THAT(server_->Log(), HasSubstr("combined by")) << method;
    }
  }
}

TEST_F(WorkersTest, KilledWorkersAreReplacedAndTheirWorkIsDoneAgain) {
  ServeWith(0, "durable", "mean");
  const std::vector<std::string> alone = RunTwoRounds();
  ServeWith(2, "durable", "mean");
  for (std::uint64_t round = 1; round <= 2; ++round) {
    for (std::size_t i = 0; i + 1 < kMany.size(); ++i) Push(i, round);
    const std::set<pid_t> before = AwaitWorkers(2);
    for (const pid_t worker : before) kill(worker, SIGKILL);
    EXPECT_TRUE(Eventually([&] {
      const std::set<pid_t> now = WorkersOf(server_->child().pid());
      return now.size() == 2 && before.count(*now.begin()) == 0 && before.count(*now.rbegin()) == 0;
    }));
    Push(kMany.size() - 1, round);
  }
  ExpectFinished();
  EXPECT_EQ((std::vector<std::string>{Published(1), Published(2)}), alone);
  ExpectFoldedByWorkers();
}

// Whoever is left begins again, to the same bytes.
TEST_F(WorkersTest, KilledShardsAreDoneAgain) {
  const std::string method = "svd, rule: \"multi_krum:f=1\", guards: [nnm]";
  ServeWith(0, "durable", method);
  const std::vector<std::string> alone = RunTwoRounds();
  ServeWith(3, "durable", method);
  for (std::uint64_t round = 1; round <= 2; ++round) {
    const std::set<pid_t> before = AwaitWorkers(3);
    std::thread killer([&] {
      for (const pid_t worker : before) {
        absl::SleepFor(absl::Milliseconds(40));
        kill(worker, SIGKILL);
      }
    });
    RunRound(kMany, round);
    killer.join();
    EXPECT_TRUE(Eventually([&] { return Published(round) == alone[round - 1]; })) << "round " << round;
  }
  ExpectFinished();
}

// How often the process' threads gave up the processor: a thread that sleeps does not.
std::string Switches(pid_t pid) {
  std::string all;
  for (const fs::directory_entry& task : fs::directory_iterator(absl::StrCat("/proc/", pid, "/task"))) {
    const auto status = ReadFile(task.path() / "status", limits::kMiB);
    const std::size_t at = status.ok() ? status->find("voluntary_ctxt_switches") : std::string::npos;
    if (at != std::string::npos) absl::StrAppend(&all, status->substr(at, status->find('\n', at) - at), "\n");
  }
  return all;
}

TEST_F(WorkersTest, IdleWorkersSleep) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer has a thread of its own, which does not sleep";
#endif
  ServeWith(2, "durable", "mean");
  for (const pid_t worker : AwaitWorkers(2)) {
    std::string before;
    EXPECT_TRUE(Eventually([&] {  // It may be starting still.
      before = Switches(worker);
      absl::SleepFor(absl::Milliseconds(300));
      return Switches(worker) == before;
    }));
    absl::SleepFor(absl::Milliseconds(1000));
    EXPECT_EQ(Switches(worker), before);
  }
}

TEST_F(WorkersTest, WorkersEndWithTheirServerHoweverItEnds) {
  ServeWith(2, "durable", "mean");
  std::set<pid_t> workers = AwaitWorkers(2);
  ASSERT_TRUE(server_->Restart().ok());  // kill -9
  EXPECT_TRUE(Eventually([&] {
    for (const pid_t worker : workers) {
      if (kill(worker, 0) == 0) return false;
    }
    return true;
  }));
  workers = AwaitWorkers(2);
  const auto code = server_->Terminate();
  EXPECT_EQ(code.value_or(-1), 0);
  for (const pid_t worker : workers) EXPECT_NE(kill(worker, 0), 0);
  EXPECT_FALSE(fs::exists(server_->data_dir() / "node" / "tree.sock"));
  EXPECT_FALSE(fs::exists(server_->data_dir() / "node" / "store.sock"));
}

}  // namespace
}  // namespace cairn::testing
