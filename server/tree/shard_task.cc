#include "server/tree/shard_task.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <utility>

#include "base/failpoint.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "server/root/shards.h"
#include "server/tree/collective.h"
#include "server/tree/placed_update.h"
#include "server/tree/shard_messages.h"
#include "server/tree/shard_split.h"
#include "server/tree/update_place.h"

namespace cairn::tree {
namespace {

constexpr absl::Duration kPeersTimeout = absl::Hours(1);  // For the slowest of the others: a lost one is seen at once.

absl::StatusOr<PublishJob> PlacedJob(NodeObjects& objects, const v1::ShardTask& task) {
  CAIRN_ASSIGN_OR_RETURN(PublishJob job, JobOf(task));
  job.data_dir = task.data_dir();
  for (const v1::UpdatePlace& place : task.updates()) {
    Contribution contribution;
    contribution.receipt.federation = task.federation();
    contribution.receipt.round = task.version();
    contribution.receipt.client = place.client();
    contribution.receipt.sha256 = place.sha256();
    contribution.receipt.examples = place.examples();
    contribution.receipt.adapter_config = place.adapter_config();
    CAIRN_ASSIGN_OR_RETURN(contribution.payload, PlacedUpdate::Open(objects, place));
    job.contributions.push_back(std::move(contribution));
  }
  return job;
}

// What changes nothing of a sum, or of a maximum.
constexpr std::int64_t NeutralOf(bool greatest) { return greatest ? std::numeric_limits<std::int64_t>::min() : 0; }

// Over the workers of this node; then member 0 has what they make together joined with that of the other nodes, and
// what comes back goes to all of them by the same way.
Reduce Reducing(std::shared_ptr<Collective> group, bool greatest, ReduceFurther further, bool asks) {
  const auto here = [group, greatest](absl::Span<std::int64_t> values) {
    const WorkProgress::AwaitsOthers waits;
    return greatest ? group->AllReduceMax(values) : group->AllReduceSum(values);
  };
  if (further == nullptr) return here;
  return [here, greatest, asks, further = std::move(further)](absl::Span<std::int64_t> values) -> absl::Status {
    if (values.empty()) return absl::OkStatus();
    CAIRN_RETURN_IF_ERROR(here(values));
    if (asks) {
      const WorkProgress::AwaitsOthers waits;
      CAIRN_RETURN_IF_ERROR(further(values, greatest));
    } else {
      std::fill(values.begin(), values.end(), NeutralOf(greatest));
    }
    return here(values);
  };
}

absl::StatusOr<std::shared_ptr<const Shard>> JoinGroup(const v1::ShardTask& task, const ReduceFurther& further) {
  CollectiveOptions group{.rank = static_cast<int>(task.rank()),
                          .size = static_cast<int>(task.size()),
                          .rendezvous = task.rendezvous(),
                          .attempt = task.attempt(),
                          .timeout = kPeersTimeout};
  const WorkProgress::AwaitsOthers waits;
  CAIRN_ASSIGN_OR_RETURN(const std::shared_ptr<Collective> collective, Collective::Join(group));
  auto shard = std::make_shared<Shard>();
  shard->modules = {task.modules().begin(), task.modules().end()};
  shard->tensors = {task.tensors().begin(), task.tensors().end()};
  shard->only_own_values = task.reduces_further();
  const ReduceFurther asked = task.reduces_further() ? further : nullptr;
  shard->sum = Reducing(collective, /*greatest=*/false, asked, task.rank() == 0);
  shard->max = Reducing(collective, /*greatest=*/true, asked, task.rank() == 0);
  return shard;
}

}  // namespace

absl::StatusOr<std::vector<v1::ShardTask>> SplitJob(const PublishJob& job, std::size_t size, const Shard* share) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ModuleShare> shares,
                         ShareModules(job, std::vector<double>(size, 1.0), share));
  v1::ShardTask described = DescribeJob(job);
  for (const Contribution& contribution : job.contributions) {
    v1::UpdatePlace& place = *described.add_updates() = PlaceOf(contribution);
    place.set_adapter_config(contribution.receipt.adapter_config.text());
  }
  described.set_data_dir(std::filesystem::absolute(job.data_dir).native());
  described.set_size(static_cast<std::uint32_t>(size));
  described.set_reduces_further(share != nullptr);
  std::vector<v1::ShardTask> tasks(size, described);
  for (std::size_t i = 0; i < size; ++i) {
    tasks[i].set_rank(static_cast<std::uint32_t>(i));
    for (const std::string& module : shares[i].modules) tasks[i].add_modules(module);
    for (const std::string& tensor : shares[i].tensors) tasks[i].add_tensors(tensor);
  }
  return tasks;
}

absl::StatusOr<v1::ShardMade> RunShard(NodeObjects& objects, const v1::ShardTask& task, const ReduceFurther& further) {
  CAIRN_ASSIGN_OR_RETURN(const PublishJob job, PlacedJob(objects, task));
  CAIRN_ASSIGN_OR_RETURN(std::shared_ptr<const Shard> shard, JoinGroup(task, further));
  CAIRN_RETURN_IF_ERROR(CAIRN_FAILPOINT("worker.in_shard"));
  const absl::StatusOr<ShardPart> part = CombineShard(job, std::move(shard), task.file());
  // Whatever was found of an update whose bytes were not there says nothing of the update.
  for (const Contribution& contribution : job.contributions) {
    if (static_cast<const PlacedUpdate&>(*contribution.payload).StillValid()) continue;
    return absl::UnavailableError("the worker slept past its lease");
  }
  CAIRN_RETURN_IF_ERROR(part.status());
  return MadeOf(*part);
}

}  // namespace cairn::tree
