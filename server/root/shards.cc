#include "server/root/shards.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "adapter/find.h"
#include "aggregators/module_sum.h"
#include "aggregators/registry.h"
#include "aggregators/result_config.h"
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

// A float tensor of a file as it is.
CombinedTensor TensorOf(const TensorSpec& spec, const DenseTensor& tensor) {
  CombinedTensor out{.spec = spec};
  if (!IsFloat(tensor.view.dtype)) {
    out.same = tensor.view;
    return out;
  }
  TensorView view = tensor.view;
  view.shape = {view.elements()};
  out.values = ColumnsOf({{tensor.scale, view}});
  return out;
}

}  // namespace

bool Shards(const Method& method) {
  const auto combine = MakeAggregator(method.combine);
  if (!combine.ok()) return false;
  const PublishForm form = method.publish.value_or((*combine)->default_publish());
  return !LooksAtNothing(method) || (*combine)->locality() == Locality::kShardLocal ||
         form.kind != PublishForm::Kind::kStack;
}

absl::StatusOr<ShardPart> CombineShard(const PublishJob& job, std::shared_ptr<const Shard> shard, int threads,
                                       const std::filesystem::path& file) {
  RoundPipeline round(job);
  CAIRN_RETURN_IF_ERROR(round.Gather(std::move(shard), threads));
  CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, round.pipeline().Plan());
  ShardPart part;
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, ResultWriter::Create(file, plan.spec, plan.ranks, {}));
  ResultSink sink = writer.sink();
  sink.module = [&](const CombinedModule& module) {
    const absl::Status written = writer.Module(module);
    round.DropPages();
    return written;
  };
  absl::StatusOr<CombineReport> report = std::move(round.pipeline()).Run(sink);
  CAIRN_RETURN_IF_ERROR(round.Lost());
  CAIRN_RETURN_IF_ERROR(report.status());
  part.report = *std::move(report);
  const bool none = plan.spec.modules.empty() && plan.spec.tensors.empty();
  if (none) return part;  // The writer removes its file.
  CAIRN_ASSIGN_OR_RETURN(ResultWriter::Written written, std::move(writer).Finish());
  part.file = file;
  part.ranks = std::move(written.ranks);
  return part;
}

absl::StatusOr<JoinedShards> JoinedShards::Open(std::vector<ShardPart> parts, const Aggregator& combine,
                                                absl::Span<const PeftConfig* const> inputs) {
  JoinedShards joined(std::move(parts));
  if (joined.parts_.empty()) return absl::InternalError("a round was combined in no parts");
  std::map<std::string, std::int64_t> ranks;
  for (const ShardPart& part : joined.parts_) {
    CAIRN_RETURN_IF_ERROR(joined.Map(part, combine, inputs));
    ranks.insert(part.ranks.begin(), part.ranks.end());
  }
  for (const ModuleSpec& module : joined.spec_.modules) joined.ranks_.push_back(ranks[module.name]);
  return joined;
}

absl::Status JoinedShards::Map(const ShardPart& part, const Aggregator& combine,
                               absl::Span<const PeftConfig* const> inputs) {
  if (part.file.empty()) return absl::OkStatus();
  PeftConfig config = *inputs.front();  // Kinds without factors keep the config they came with.
  if (config.kind == AdapterKind::kLora) config = ResultConfig(part.ranks, inputs);
  CAIRN_ASSIGN_OR_RETURN(MappedAdapter mapped, MapAdapter(part.file, SerializePeftConfig(config), combine));
  AdapterSpec own = SpecOf(mapped.adapter);
  own.base_model.clear();
  CAIRN_ASSIGN_OR_RETURN(spec_, UnionOf(spec_, own));
  files_.push_back(std::move(mapped));
  return absl::OkStatus();
}

JoinedShards::~JoinedShards() {
  for (const ShardPart& part : parts_) {
    if (!part.file.empty()) ::unlink(part.file.c_str());
  }
}

absl::StatusOr<CombineReport> JoinedShards::Report(const ResultSink& sink) const {
  for (const ModuleSpec& spec : spec_.modules) {
    for (const MappedAdapter& file : files_) {
      const LoraModule* const module = FindModule(file.adapter, spec.name);
      if (module != nullptr) CAIRN_RETURN_IF_ERROR(sink.module(ModuleOf(*module)));
    }
  }
  for (const TensorSpec& spec : spec_.tensors) {
    for (const MappedAdapter& file : files_) {
      const DenseTensor* const tensor = FindTensor(file.adapter, spec.name);
      if (tensor != nullptr) CAIRN_RETURN_IF_ERROR(sink.tensor(TensorOf(spec, *tensor)));
    }
  }
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
