#include "server/tree/shard_split.h"

#include <cstdint>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/root/published_files.h"
#include "server/root/round_pipeline.h"
#include "server/root/update.h"
#include "server/tree/planner/shards.h"

namespace cairn::tree {
namespace {

// By name, of all updates together: what has to be read to combine it.
struct Sizes {
  std::map<std::string, std::uint64_t> modules, tensors;
};

std::uint64_t BytesOf(const TensorView& view) {
  return static_cast<std::uint64_t>(view.elements()) * SizeOf(view.dtype);
}

void Count(const Adapter& adapter, Sizes& sizes) {
  for (const LoraModule& module : adapter.modules) sizes.modules[module.name] += BytesOf(module.a) + BytesOf(module.b);
  for (const DenseTensor& tensor : adapter.tensors) sizes.tensors[tensor.view.name] += BytesOf(tensor.view);
}

absl::StatusOr<Sizes> ReadSizes(const PublishJob& job) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(job.method.combine));
  Sizes sizes;
  for (const Contribution& contribution : job.contributions) {
    absl::StatusOr<PeftConfig> config = ParseUpdateConfig(contribution.receipt.adapter_config, *combine);
    absl::StatusOr<Adapter> adapter = config.ok() ? ShapesOf(contribution, *config) : config.status();
    if (!adapter.ok()) {
      return absl::IsInvalidArgument(adapter.status()) ? BlameClient(adapter.status(), contribution.receipt.client)
                                                       : adapter.status();
    }
    Count(*adapter, sizes);
  }
  // What earlier rounds left may have more.
  if (!job.previous) return sizes;
  for (const AdapterFile* file : {&job.previous->whole, job.previous->delta ? &*job.previous->delta : nullptr}) {
    if (file == nullptr) continue;
    CAIRN_ASSIGN_OR_RETURN(const MappedAdapter before,
                           MapAdapter(AdapterPath(job.data_dir, job.federation, file->sha256), file->config, *combine));
    for (const LoraModule& module : before.adapter.modules) sizes.modules[module.name] += 1;
    for (const DenseTensor& tensor : before.adapter.tensors) sizes.tensors[tensor.view.name] += 1;
  }
  return sizes;
}

absl::StatusOr<Sizes> SizesOf(const PublishJob& job) {
  const LostPagesGuard lost_pages;
  absl::StatusOr<Sizes> sizes = ReadSizes(job);
  // The zeros in a lost page's place may have led to any other error.
  CAIRN_RETURN_IF_ERROR(lost_pages.Lost());
  return sizes;
}

}  // namespace

absl::StatusOr<std::vector<ModuleShare>> ShareModules(const PublishJob& job, absl::Span<const double> speeds,
                                                      const Shard* within) {
  CAIRN_ASSIGN_OR_RETURN(const Sizes sizes, SizesOf(job));
  planner::ShardInput input;
  // Modules and tensors may have the same names.
  for (const auto& [name, bytes] : sizes.modules) {
    if (OwnsModule(within, name)) input.modules.push_back({absl::StrCat("m", name), bytes, ""});
  }
  for (const auto& [name, bytes] : sizes.tensors) {
    if (OwnsTensor(within, name)) input.modules.push_back({absl::StrCat("t", name), bytes, ""});
  }
  for (std::size_t i = 0; i < speeds.size(); ++i) input.nodes.push_back({absl::StrCat(i), speeds[i]});
  CAIRN_ASSIGN_OR_RETURN(const planner::ShardPlan plan, planner::PlanShards(input));
  std::vector<ModuleShare> shares(speeds.size());
  for (const planner::ShardPlacement& placement : plan.modules) {
    std::size_t i = 0;
    if (!absl::SimpleAtoi(placement.node, &i)) return absl::InternalError("a plan of other nodes");
    ModuleShare& share = shares[i];
    (placement.module[0] == 'm' ? share.modules : share.tensors).insert(placement.module.substr(1));
  }
  return shares;
}

}  // namespace cairn::tree
