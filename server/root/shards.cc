#include "server/root/shards.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "aggregators/assembled.h"
#include "aggregators/registry.h"
#include "aggregators/result_writer.h"
#include "aggregators/rule.h"
#include "base/status_macros.h"
#include "server/root/round_pipeline.h"

namespace cairn {
namespace {

// Those that leave every client its weight.
bool LooksAtNothing(const Method& method) {
  const bool guarded = std::any_of(method.guards.begin(), method.guards.end(),
                                   [](const std::string& guard) { return guard != "finite"; });
  return method.rule == "examples" && !guarded;
}

absl::StatusOr<ShardPart> CombineOwn(RoundPipeline& round, std::shared_ptr<const Shard> shard,
                                     const std::filesystem::path& file) {
  CAIRN_RETURN_IF_ERROR(round.Gather(CheckedAdapters::Keep::kAll, std::move(shard)));
  CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, round.pipeline().Plan());
  ShardPart part;
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, ResultWriter::Create(file, plan.spec, plan.ranks, {}));
  ResultSink sink = writer.sink();
  sink.module = [&](const CombinedModule& module) {
    const absl::Status written = writer.Module(module);
    round.DropPages();
    return written;
  };
  CAIRN_ASSIGN_OR_RETURN(part.report, std::move(round.pipeline()).Run(sink));
  CAIRN_RETURN_IF_ERROR(round.Lost());  // Then the writer removes its file.
  part.spec = plan.spec;
  part.spec.base_model.clear();
  part.bounds = plan.ranks;
  if (plan.spec.modules.empty() && plan.spec.tensors.empty()) return part;  // The writer removes its file.
  CAIRN_RETURN_IF_ERROR(std::move(writer).Finish().status());
  part.file = file;
  return part;
}

}  // namespace

bool Shards(const Method& method) {
  const auto combine = MakeAggregator(method.combine);
  if (!combine.ok()) return false;
  const PublishForm form = method.publish.value_or((*combine)->default_publish());
  return !LooksAtNothing(method) || (*combine)->locality() == Locality::kShardLocal ||
         form.kind != PublishForm::Kind::kStack;
}

absl::StatusOr<ShardPart> CombineShard(const PublishJob& job, std::shared_ptr<const Shard> shard,
                                       const std::filesystem::path& file) {
  RoundPipeline round(job);
  absl::StatusOr<ShardPart> part = CombineOwn(round, std::move(shard), file);
  // The zeros in a lost page's place may have led to any other error.
  if (!part.ok()) CAIRN_RETURN_IF_ERROR(round.Lost());
  return part;
}

absl::StatusOr<JoinedShards> JoinedShards::Open(std::vector<ShardPart> parts) {
  JoinedShards joined(std::move(parts));
  if (joined.parts_.empty()) return absl::InternalError("a round was combined in no parts");
  std::map<std::string, std::int64_t> bounds;
  for (const ShardPart& part : joined.parts_) {
    CAIRN_ASSIGN_OR_RETURN(joined.spec_, UnionOf(joined.spec_, part.spec));
    for (std::size_t m = 0; m < part.bounds.size(); ++m) bounds[part.spec.modules[m].name] = part.bounds[m];
    if (part.file.empty()) continue;
    CAIRN_ASSIGN_OR_RETURN(TensorFiles file, TensorFiles::Open(part.file, kAdapterStem));
    joined.files_.push_back(std::move(file));
  }
  for (const ModuleSpec& module : joined.spec_.modules) joined.ranks_.push_back(bounds[module.name]);
  return joined;
}

JoinedShards::~JoinedShards() {
  for (const ShardPart& part : parts_) {
    if (!part.file.empty()) ::unlink(part.file.c_str());
  }
}

absl::StatusOr<CombineReport> JoinedShards::Report(const ResultSink& sink) const {
  CAIRN_RETURN_IF_ERROR(Assemble(spec_, files_, sink));
  CombineReport report = parts_.front().report;
  for (std::size_t i = 1; i < parts_.size(); ++i) {
    const std::vector<ModuleReport>& own = parts_[i].report.modules;
    report.modules.insert(report.modules.end(), own.begin(), own.end());
  }
  std::sort(report.modules.begin(), report.modules.end(),
            [](const ModuleReport& x, const ModuleReport& y) { return x.name < y.name; });
  return report;
}

}  // namespace cairn
