#include "server/tree/shard_messages.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn::tree {
namespace {

void SetFile(const AdapterFile& file, v1::PublishedFile& out) {
  out.set_sha256(file.sha256);
  out.set_bytes(file.bytes);
  out.set_config(file.config);
}

AdapterFile FileOf(const v1::PublishedFile& file) { return {file.sha256(), file.bytes(), file.config()}; }

// Sizes are reckoned with from here on, and files read as they say.
absl::Status CheckPlanned(const AdapterSpec& spec) {
  return spec.modules.empty() && spec.tensors.empty() ? absl::OkStatus() : CheckSpec(spec);
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
  if (job.previous) {
    task.set_previous_version(job.previous->version);
    SetFile(job.previous->whole, *task.mutable_previous_whole());
    if (job.previous->delta) SetFile(*job.previous->delta, *task.mutable_previous_delta());
  }
  return task;
}

absl::StatusOr<PublishJob> JobOf(const v1::ShardTask& task) {
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
  if (task.has_previous_whole()) {
    job.previous.emplace();
    job.previous->federation = task.federation();
    job.previous->version = task.previous_version();
    job.previous->whole = FileOf(task.previous_whole());
    if (task.has_previous_delta()) job.previous->delta = FileOf(task.previous_delta());
  }
  return job;
}

absl::Status CheckFile(const v1::ShardTask& task, const v1::ShardMade& made) {
  if (made.file().empty() || made.file() == task.file()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("it handed over the file \"", absl::CHexEscape(made.file()),
                                                  "\" as what it combined; it was to write \"", task.file(), "\""));
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
  CAIRN_RETURN_IF_ERROR(CheckPlanned(part.spec));
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
