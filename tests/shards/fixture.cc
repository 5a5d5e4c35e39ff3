#include "tests/shards/fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "aggregators/assembled.h"
#include "aggregators/pipeline.h"
#include "aggregators/result_writer.h"
#include "aggregators/testing.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kClients = 8;
constexpr std::int64_t kRanks[kClients] = {4, 8, 2, 6, 4, 3, 5, 4};
// One of each kind: inner products alone, both, entries alone, neither.
const std::vector<std::string>& Rules() {
  static const auto& rules =
      *new std::vector<std::string>{"multi_krum:f=1", "geometric_median", "bulyan:f=1", "median", "examples"};
  return rules;
}

std::vector<ModuleSpec> Modules() {
  std::vector<ModuleSpec> modules;
  for (int layer = 0; layer < 4; ++layer) {
    modules.push_back({absl::StrCat("layers.", layer, ".q_proj"), 96, 64, {}});
    modules.push_back({absl::StrCat("layers.", layer, ".v_proj"), 64, 80 + 8 * layer, {}});
  }
  return modules;
}

std::string Text(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

fs::path Program() { return fs::read_symlink("/proc/self/exe").parent_path() / "shard_worker"; }

std::vector<std::string> Living(const planner::ShardPlan& plan) {
  std::vector<std::string> nodes;
  for (const planner::ShardLoad& node : plan.nodes) {
    if (node.alive) nodes.push_back(node.node);
  }
  return nodes;
}

}  // namespace

void ShardsFixture::SetUp() {
  folder_ = fs::path(::testing::TempDir()) /
            absl::StrCat("shards-", getpid(), "-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
  fs::create_directories(folder_ / "updates");
  WriteUpdates();
  RunWhole();
}

void ShardsFixture::TearDown() {
  EXPECT_TRUE(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD) << "a process is left";
  fs::remove_all(folder_);
}

void ShardsFixture::WriteUpdates() const {
  for (int i = 0; i < kClients; ++i) {
    const fs::path folder = folder_ / "updates" / absl::StrCat("client-", i);
    fs::create_directories(folder);
    const UpdateBytes update = MakeUpdateBytes(i, Modules(), kRanks[i], i == 5 ? 50 : 4 + i, DType::kF32);
    std::ofstream(folder / "adapter_config.json") << update.config_json;
    std::ofstream(folder / kAdapterModelFile, std::ios::binary) << update.safetensors;
  }
}

void ShardsFixture::RunWhole() {
  std::map<std::string, StoredAdapter> updates;
  for (const auto& entry : fs::directory_iterator(folder_ / "updates")) {
    updates[entry.path().filename()] = *OpenAdapterDirectory(entry.path());
  }
  for (const std::string& rule : Rules()) {
    Pipeline pipeline = *Pipeline::Create({.rule = rule});
    double examples = 1;
    for (const auto& [client, update] : updates) {
      ASSERT_TRUE(pipeline.Add({client, examples++, &update.adapter, ""}).ok());
    }
    const auto plan = pipeline.Plan();
    ASSERT_TRUE(plan.ok()) << plan.status();
    ResultWriter writer = *ResultWriter::Create(folder_ / "whole.safetensors", plan->spec, plan->ranks, {});
    auto report = std::move(pipeline).Run(writer.sink());
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(std::move(writer).Finish().ok());
    report->modules.clear();
    reports_.push_back(ToJson(*report));
    whole_.push_back(Text(folder_ / "whole.safetensors"));
    plans_.push_back(*plan);
  }
}

planner::ShardPlan ShardsFixture::Plan(const planner::ShardInput& input) const {
  const auto plan = planner::PlanShards(input);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : planner::ShardPlan();
}

planner::ShardPlan ShardsFixture::Place(int nodes) const {
  planner::ShardInput input;
  for (const ModuleSpec& module : Modules()) {
    input.modules.push_back({module.name, static_cast<std::uint64_t>(module.d_in + module.d_out)});
  }
  for (int node = 0; node < nodes; ++node) input.nodes.push_back({absl::StrCat("node-", node)});
  return Plan(input);
}

planner::ShardPlan ShardsFixture::PlaceWithout(const planner::ShardPlan& before, const std::string& lost) const {
  planner::ShardInput input;
  for (const planner::ShardPlacement& module : before.modules) input.modules.push_back({module.module, 1, module.node});
  for (const planner::ShardLoad& node : before.nodes) {
    input.nodes.push_back({.id = node.node, .alive = node.alive && node.node != lost});
  }
  return Plan(input);
}

std::vector<Child> ShardsFixture::Start(const Group& group, int halts, int halt_at) const {
  std::vector<Child> children;
  const std::vector<std::string> nodes = Living(group.plan);
  for (std::size_t rank = 0; rank < nodes.size(); ++rank) {
    const std::string name = absl::StrCat(group.attempt, "-", rank);
    std::ofstream own(folder_ / (name + ".own"));
    for (const planner::ShardPlacement& module : group.plan.modules) {
      if (module.node == nodes[rank]) own << "module " << module.module << "\n";
    }
    own.close();
    std::vector<std::string> arguments = {Program(),
                                          folder_,
                                          group.rendezvous,
                                          group.attempt,
                                          absl::StrCat(rank),
                                          absl::StrCat(nodes.size()),
                                          absl::StrCat(absl::ToInt64Milliseconds(group.timeout)),
                                          absl::StrCat(static_cast<int>(rank) == halts ? halt_at : -1)};
    arguments.insert(arguments.end(), Rules().begin(), Rules().end());
    auto child = Child::Spawn(std::move(arguments), folder_ / (name + ".log"));
    EXPECT_TRUE(child.ok()) << child.status();
    if (child.ok()) children.push_back(*std::move(child));
  }
  return children;
}

void ShardsFixture::AwaitHalt() const {
  const absl::Time end = absl::Now() + kPatience;
  while (!fs::exists(folder_ / "halted")) {
    ASSERT_LT(absl::Now(), end) << "no process halted";
    absl::SleepFor(absl::Milliseconds(5));
  }
}

int ShardsFixture::ExitCode(Child& child) {
  const auto code = child.Wait(kPatience);
  EXPECT_TRUE(code.ok()) << code.status();
  return code.value_or(-1);
}

std::string ShardsFixture::Log(const std::string& attempt, int rank) const {
  return Text(folder_ / absl::StrCat(attempt, "-", rank, ".log"));
}

std::pair<std::uint64_t, int> ShardsFixture::Travelled(const std::string& attempt, int rank) const {
  std::pair<std::uint64_t, int> travelled;
  std::ifstream(folder_ / absl::StrCat(attempt, "-", rank, ".bytes")) >> travelled.first >> travelled.second;
  return travelled;
}

std::string ShardsFixture::Assembled(const Group& group, std::size_t round) const {
  std::vector<TensorFiles> parts;
  for (std::size_t rank = 0; rank < Living(group.plan).size(); ++rank) {
    auto part =
        TensorFiles::Open(folder_ / absl::StrCat(group.attempt, "-", rank, "-", round, ".safetensors"), kAdapterStem);
    EXPECT_TRUE(part.ok()) << part.status();
    if (part.ok()) parts.push_back(*std::move(part));
  }
  const fs::path file = folder_ / "assembled.safetensors";
  ResultWriter writer = *ResultWriter::Create(file, plans_[round].spec, plans_[round].ranks, {});
  const absl::Status status = Assemble(plans_[round].spec, parts, writer.sink());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(std::move(writer).Finish().ok());
  return Text(file);
}

void ShardsFixture::ExpectWhole(const Group& group) const {
  for (std::size_t n = 0; n < whole_.size(); ++n) {
    SCOPED_TRACE(absl::StrCat(group.attempt, ", ", Rules()[n]));
    EXPECT_TRUE(Assembled(group, n) == whole_[n]);
    for (std::size_t rank = 0; rank < Living(group.plan).size(); ++rank) {
      EXPECT_EQ(Text(folder_ / absl::StrCat(group.attempt, "-", rank, "-", n, ".json")), reports_[n]);
    }
  }
}

}  // namespace cairn::testing
