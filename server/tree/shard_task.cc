#include "server/tree/shard_task.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"
#include "server/root/published_files.h"
#include "server/root/update.h"
#include "server/tree/collective.h"
#include "server/tree/placed_update.h"
#include "server/tree/planner/shards.h"
#include "server/tree/update_place.h"

namespace cairn::tree {
namespace {

constexpr absl::Duration kPeersTimeout = absl::Hours(1);  // For the slowest of the others: a lost one is seen at once.

void SetFile(const AdapterFile& file, v1::PublishedFile& out) {
  out.set_sha256(file.sha256);
  out.set_bytes(file.bytes);
  out.set_config(file.config);
}

AdapterFile FileOf(const v1::PublishedFile& file) { return {file.sha256(), file.bytes(), file.config()}; }

absl::StatusOr<PublishJob> JobOf(NodeObjects& objects, const v1::ShardTask& task) {
  PublishJob job;
  job.federation = task.federation();
  job.version = task.version();
  job.method.guards = {task.guards().begin(), task.guards().end()};
  job.method.rule = task.rule();
  job.method.combine = task.combine();
  job.method.rule_modules = {task.rule_modules().begin(), task.rule_modules().end()};
  job.method.relative_to_published = task.relative_to_published();
  if (!task.publish().empty()) {
    CAIRN_ASSIGN_OR_RETURN(job.method.publish, ParsePublishForm(task.publish()));
  }
  job.base_model = task.base_model();
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
  if (task.has_previous_whole()) {
    job.previous.emplace();
    job.previous->federation = task.federation();
    job.previous->version = task.version() - 1;
    job.previous->whole = FileOf(task.previous_whole());
    if (task.has_previous_delta()) job.previous->delta = FileOf(task.previous_delta());
  }
  return job;
}

v1::ShardMade MadeOf(const ShardPart& part) {
  v1::ShardMade made;
  made.set_file(part.file.native());
  for (std::size_t m = 0; m < part.spec.modules.size(); ++m) {
    const ModuleSpec& module = part.spec.modules[m];
    v1::PlannedModule& out = *made.add_planned_modules();
    out.set_name(module.name);
    out.set_d_in(module.d_in);
    out.set_d_out(module.d_out);
    out.set_layer(NameOf(module.layer));
    out.set_rank_max(part.bounds[m]);
  }
  for (const TensorSpec& tensor : part.spec.tensors) {
    v1::PlannedTensor& out = *made.add_planned_tensors();
    out.set_name(tensor.name);
    for (const std::int64_t dim : tensor.shape) out.add_shape(dim);
  }
  for (const ClientReport& client : part.report.clients) {
    v1::ShardClient& out = *made.add_clients();
    out.set_client(client.id);
    out.set_examples(client.examples);
    out.set_weight(client.weight);
    out.set_accepted(client.accepted);
    out.set_reason(client.reason);
    if (client.distance) out.set_distance(*client.distance);
    if (client.cosine) out.set_cosine(*client.cosine);
  }
  for (const ModuleReport& module : part.report.modules) {
    v1::ShardModule& out = *made.add_modules();
    out.set_module(module.name);
    out.set_rank_in(module.rank_in);
    out.set_rank_out(module.rank_out);
    if (module.relative_error) out.set_relative_error(*module.relative_error);
  }
  if (part.report.relative_error) made.set_relative_error(*part.report.relative_error);
  made.set_publish(part.report.publish);
  made.set_coordinate_wise(part.report.coordinate_wise);
  return made;
}

// By name, of all updates together: what has to be read to combine it.
struct Sizes {
  std::map<std::string, std::uint64_t> modules, tensors;
};

absl::StatusOr<Sizes> SizesOf(const PublishJob& job) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(job.method.combine));
  Sizes sizes;
  for (const Contribution& contribution : job.contributions) {
    absl::StatusOr<PeftConfig> config = ParseUpdateConfig(contribution.receipt.adapter_config, *combine);
    CAIRN_RETURN_IF_ERROR(config.status());
    CAIRN_ASSIGN_OR_RETURN(const Adapter adapter, ParseAdapter(contribution.payload->bytes(), *config));
    for (const LoraModule& module : adapter.modules) {
      sizes.modules[module.name] += module.a.data.size() + module.b.data.size();
    }
    for (const DenseTensor& tensor : adapter.tensors) sizes.tensors[tensor.view.name] += tensor.view.data.size();
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

}  // namespace

v1::ShardTask DescribeJob(const PublishJob& job) {
  v1::ShardTask task;
  task.set_federation(job.federation);
  task.set_version(job.version);
  for (const std::string& guard : job.method.guards) task.add_guards(guard);
  task.set_rule(job.method.rule);
  task.set_combine(job.method.combine);
  for (const std::string& module : job.method.rule_modules) task.add_rule_modules(module);
  task.set_relative_to_published(job.method.relative_to_published);
  if (job.method.publish) task.set_publish(ToString(*job.method.publish));
  task.set_base_model(job.base_model);
  for (const Contribution& contribution : job.contributions) *task.add_updates() = PlaceOf(contribution);
  if (job.previous) {
    SetFile(job.previous->whole, *task.mutable_previous_whole());
    if (job.previous->delta) SetFile(*job.previous->delta, *task.mutable_previous_delta());
  }
  task.set_data_dir(std::filesystem::absolute(job.data_dir).native());
  return task;
}

absl::StatusOr<std::vector<v1::ShardTask>> SplitJob(const PublishJob& job, std::size_t size) {
  CAIRN_ASSIGN_OR_RETURN(const Sizes sizes, SizesOf(job));
  planner::ShardInput input;
  const auto add = [&input](char kind, const std::map<std::string, std::uint64_t>& things) {
    for (const auto& [name, bytes] : things)
      input.modules.push_back({absl::StrCat(std::string(1, kind), name), bytes, ""});
  };
  add('m', sizes.modules);  // Modules and tensors may have the same names.
  add('t', sizes.tensors);
  for (std::size_t i = 0; i < size; ++i) input.nodes.push_back({absl::StrCat(i)});
  CAIRN_ASSIGN_OR_RETURN(const planner::ShardPlan plan, planner::PlanShards(input));
  std::vector<v1::ShardTask> tasks(size, DescribeJob(job));
  std::map<std::string, v1::ShardTask*> by_node;
  for (std::size_t i = 0; i < size; ++i) {
    tasks[i].set_rank(static_cast<std::uint32_t>(i));
    tasks[i].set_size(static_cast<std::uint32_t>(size));
    by_node[absl::StrCat(i)] = &tasks[i];
  }
  for (const planner::ShardPlacement& placement : plan.modules) {
    v1::ShardTask& task = *by_node.at(placement.node);
    (placement.module[0] == 'm' ? task.add_modules() : task.add_tensors())->assign(placement.module.substr(1));
  }
  return tasks;
}

absl::StatusOr<v1::ShardMade> RunShard(NodeObjects& objects, const v1::ShardTask& task) {
  CAIRN_ASSIGN_OR_RETURN(const PublishJob job, JobOf(objects, task));
  CollectiveOptions group{.rank = static_cast<int>(task.rank()),
                          .size = static_cast<int>(task.size()),
                          .rendezvous = task.rendezvous(),
                          .attempt = task.attempt(),
                          .timeout = kPeersTimeout};
  CAIRN_ASSIGN_OR_RETURN(const std::shared_ptr<Collective> collective, Collective::Join(group));
  auto shard = std::make_shared<Shard>();
  shard->modules = {task.modules().begin(), task.modules().end()};
  shard->tensors = {task.tensors().begin(), task.tensors().end()};
  shard->sum = [collective](absl::Span<std::int64_t> values) { return collective->AllReduceSum(values); };
  shard->max = [collective](absl::Span<std::int64_t> values) { return collective->AllReduceMax(values); };
  CAIRN_ASSIGN_OR_RETURN(const ShardPart part, CombineShard(job, std::move(shard), task.file()));
  for (const Contribution& contribution : job.contributions) {
    if (static_cast<const PlacedUpdate&>(*contribution.payload).StillValid()) continue;
    return absl::UnavailableError("the worker slept past its lease");
  }
  return MadeOf(part);
}

absl::StatusOr<ShardPart> PartOf(const v1::ShardMade& made, const PublishJob& job) {
  ShardPart part;
  part.file = made.file();
  for (const v1::PlannedModule& module : made.planned_modules()) {
    CAIRN_ASSIGN_OR_RETURN(const Layer layer, LayerFromName(module.layer()));
    part.spec.modules.push_back({module.name(), module.d_in(), module.d_out(), layer});
    part.bounds.push_back(module.rank_max());
  }
  for (const v1::PlannedTensor& tensor : made.planned_tensors()) {
    part.spec.tensors.push_back({tensor.name(), {tensor.shape().begin(), tensor.shape().end()}});
  }
  CombineReport& report = part.report;
  report.combine = job.method.combine;
  report.rule = job.method.rule;
  report.guards = job.method.guards;
  report.publish = made.publish();
  report.coordinate_wise = made.coordinate_wise();
  if (made.has_relative_error()) report.relative_error = made.relative_error();
  const auto known = [](bool has, double value) { return has ? std::optional<double>(value) : std::nullopt; };
  for (const v1::ShardClient& client : made.clients()) {
    report.clients.push_back({client.client(), client.examples(), client.weight(), client.accepted(), client.reason(),
                              known(client.has_distance(), client.distance()),
                              known(client.has_cosine(), client.cosine())});
  }
  for (const v1::ShardModule& module : made.modules()) {
    report.modules.push_back({module.module(), module.rank_in(), module.rank_out(),
                              known(module.has_relative_error(), module.relative_error())});
  }
  return part;
}

}  // namespace cairn::tree
