// shard_worker FOLDER RENDEZVOUS ATTEMPT RANK SIZE TIMEOUT_MS HALT_AT RULE...: one shard of the rounds of FOLDER, one
// round a rule. It maps FOLDER/updates/CLIENT, has the modules and tensors of FOLDER/ATTEMPT-RANK.own, and writes
// FOLDER/ATTEMPT-RANK-N.safetensors and .json for round N. At its reduction HALT_AT (0: the joining; -1: never) it
// makes FOLDER/halted and waits for its end.
// Exit code 3: UNAVAILABLE, a member of the group was lost; 1: any other error.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "aggregators/pipeline.h"
#include "aggregators/result_writer.h"
#include "base/status_macros.h"
#include "server/tree/collective.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;

struct Task {
  fs::path folder;
  CollectiveOptions group;
  int halt_at = -1;
  std::vector<std::string> rules;

  std::string name() const { return absl::StrCat(group.attempt, "-", group.rank); }
};

class ShardWorker {
 public:
  explicit ShardWorker(Task task) : task_(std::move(task)) {}

  absl::Status Run() {
    CAIRN_RETURN_IF_ERROR(Open());
    HaltAt(0);
    CAIRN_ASSIGN_OR_RETURN(group_, Collective::Join(task_.group));
    for (std::size_t n = 0; n < task_.rules.size(); ++n) CAIRN_RETURN_IF_ERROR(Round(n));
    std::ofstream(task_.folder / (task_.name() + ".bytes")) << group_->bytes() << " " << reductions_;
    return absl::OkStatus();
  }

 private:
  absl::Status Open() {
    for (const auto& entry : fs::directory_iterator(task_.folder / "updates")) {
      CAIRN_ASSIGN_OR_RETURN(updates_[entry.path().filename()], OpenAdapterDirectory(entry.path()));
    }
    std::ifstream own(task_.folder / (task_.name() + ".own"));
    for (std::string kind, name; own >> kind >> name;) {
      (kind == "module" ? shard_->modules : shard_->tensors).insert(name);
    }
    shard_->sum = [this](absl::Span<std::int64_t> values) {
      HaltAt(++reductions_);
      return group_->AllReduceSum(values);
    };
    shard_->max = [this](absl::Span<std::int64_t> values) {
      HaltAt(++reductions_);
      return group_->AllReduceMax(values);
    };
    return absl::OkStatus();
  }

  void HaltAt(int reduction) const {
    if (reduction != task_.halt_at) return;
    std::ofstream(task_.folder / "halted").put('\n');
    while (true) pause();
  }

  absl::Status Round(std::size_t n) {
    CAIRN_ASSIGN_OR_RETURN(Pipeline pipeline, Pipeline::Create({.rule = task_.rules[n], .shard = shard_}));
    double examples = 1;
    for (const auto& [client, update] : updates_) {
      CAIRN_RETURN_IF_ERROR(pipeline.Add({client, examples++, &update.adapter, ""}));
    }
    CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, pipeline.Plan());
    const std::string name = absl::StrCat(task_.name(), "-", n);
    CAIRN_ASSIGN_OR_RETURN(ResultWriter writer,
                           ResultWriter::Create(task_.folder / (name + ".safetensors"), plan.spec, plan.ranks, {}));
    CAIRN_ASSIGN_OR_RETURN(CombineReport report, std::move(pipeline).Run(writer.sink()));
    CAIRN_RETURN_IF_ERROR(std::move(writer).Finish().status());
    report.modules.clear();
    std::ofstream(task_.folder / (name + ".json")) << ToJson(report);
    return absl::OkStatus();
  }

  const Task task_;
  std::map<std::string, StoredAdapter> updates_;
  const std::shared_ptr<Shard> shard_ = std::make_shared<Shard>();
  std::unique_ptr<Collective> group_;
  int reductions_ = 0;
};

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) {
  constexpr int kRules = 8, kUnavailable = 3;
  if (argc <= kRules) return EXIT_FAILURE;
  cairn::testing::Task task{.folder = argv[1],
                            .group = {.rank = std::atoi(argv[4]),
                                      .size = std::atoi(argv[5]),
                                      .rendezvous = argv[2],
                                      .attempt = argv[3],
                                      .timeout = absl::Milliseconds(std::atoi(argv[6]))},
                            .halt_at = std::atoi(argv[7]),
                            .rules = {argv + kRules, argv + argc}};
  const absl::Status status = cairn::testing::ShardWorker(std::move(task)).Run();
  if (status.ok()) return EXIT_SUCCESS;
  std::cerr << status << "\n";
  return absl::IsUnavailable(status) ? kUnavailable : EXIT_FAILURE;
}
