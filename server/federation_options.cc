#include "server/federation_options.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aggregators/publish_form.h"
#include "aggregators/registry.h"
#include "aggregators/weighing.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config/units.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/root/update.h"

namespace cairn {

using options::ValueOf;
using options::Wrong;

namespace {

absl::StatusOr<AdapterSpec> SpecFrom(const v1::FederationConfig& config, const std::string& key) {
  AdapterSpec spec{config.base_model(), {}, {}};
  for (const v1::ModuleConfig& module : config.modules()) {
    Layer layer;
    if (!module.layer().empty()) {
      CAIRN_ASSIGN_OR_RETURN(layer, ValueOf(key + ".modules.layer", LayerFromName(module.layer())));
    }
    spec.modules.push_back({module.name(), module.d_in(), module.d_out(), layer});
  }
  for (const v1::TensorConfig& tensor : config.tensors()) {
    spec.tensors.push_back({tensor.name(), {tensor.shape().begin(), tensor.shape().end()}});
  }
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(spec.modules.begin(), spec.modules.end(), by_name);
  std::sort(spec.tensors.begin(), spec.tensors.end(), by_name);
  if (absl::Status status = CheckSpec(spec); !status.ok()) return Wrong(key + ".modules", status.message());
  return spec;
}

absl::Status CheckRule(const std::string& key, const std::string& rule) {
  const absl::Status status = MakeRule(rule).status();
  if (status.ok()) return status;
  // Until weights became a choice of their own, `rule` named what `combine` names now.
  if (MakeAggregator(rule).ok()) {
    return Wrong(key + ".rule", absl::StrCat("\"", rule, "\" says how updates are combined: write `combine: ", rule,
                                             "`; rule says how much each client counts and is one of ",
                                             absl::StrJoin(RuleNames(), ", ")));
  }
  return Wrong(key + ".rule", status.message());
}

// What can be published by a server, which does not have the base model and does not know its clients' ranks.
absl::Status CheckPublish(const PublishForm& form, const Aggregator& combine) {
  if (form.kind == PublishForm::Kind::kMerged) {
    return absl::InvalidArgumentError(
        "a server does not have the base model: publish the adapter, and merge it where the model is, with `cairn "
        "aggregate DATA_DIR/published/NAME/latest --publish merged --base MODEL --out DIR`");
  }
  if (form.kind == PublishForm::Kind::kRanks) {
    return absl::InvalidArgumentError(
        "clients cut the published adapter to their own rank: use `rank=N` or `widest`; one adapter a client is made "
        "by `cairn aggregate DATA_DIR/published/NAME/latest --publish ranks=FILE --out DIR`");
  }
  if (form.kind == PublishForm::Kind::kStack && combine.default_publish().kind != form.kind) {
    return absl::InvalidArgumentError(
        absl::StrCat("combine ", combine.name(),
                     " goes on from the first units of what is published, which must be "
                     "in order of weight: expected rank=N, energy=E or widest, got stack"));
  }
  if (combine.round_start() == RoundStart::kResidual && form.kind != PublishForm::Kind::kStack) {
    return absl::InvalidArgumentError(absl::StrCat("combine ", combine.name(),
                                                   " publishes the units to go on with first and the others behind "
                                                   "them, which a cut would mix: expected stack, got ",
                                                   ToString(form)));
  }
  return absl::OkStatus();
}

// How updates of a federation become a version.
absl::Status ResolveMethod(const v1::FederationConfig& config, const std::string& key, FederationOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, ValueOf(key + ".combine", MakeAggregator(config.combine())));
  if (TakesPlainTensors(*combine) && !config.modules().empty()) {
    return Wrong(key + ".modules",
                 absl::StrCat("combine ", combine->name(), " averages tensors by name: expected them under `tensors`"));
  }
  CAIRN_RETURN_IF_ERROR(CheckRule(key, config.rule()));
  options.method.combine = config.combine();
  options.method.rule = config.rule();
  options.method.guards.assign(config.guards().begin(), config.guards().end());
  const auto weighing = Weighing::Create(options.method.rule, options.method.guards);
  if (!weighing.ok()) return Wrong(key + ".guards", weighing.status().message());
  if (config.publish().empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(options.method.publish, ValueOf(key + ".publish", ParsePublishForm(config.publish())));
  const absl::Status status = CheckPublish(*options.method.publish, *combine);
  return status.ok() ? status : Wrong(key + ".publish", status.message());
}

absl::StatusOr<round::Policy> PolicyFrom(const v1::FederationConfig& config, const std::string& key) {
  round::Policy policy;
  policy.rounds = config.rounds();
  policy.clients_min = config.clients().min();
  policy.clients_target = config.clients().target();
  if (policy.clients_target < policy.clients_min) {
    return Wrong(key + ".clients.target",
                 absl::StrCat("expected at least clients.min, ", policy.clients_min, ", got ", policy.clients_target));
  }
  if (policy.clients_target > limits::kCohortClientsMax) {
    return Wrong(key + ".clients.target", absl::StrCat("expected at most ", limits::kCohortClientsMax));
  }
  if (!config.deadline().empty()) {
    CAIRN_ASSIGN_OR_RETURN(policy.deadline, ValueOf(key + ".deadline", ParseDuration(config.deadline())));
  }
  CAIRN_ASSIGN_OR_RETURN(policy.progress_timeout,
                         ValueOf(key + ".progress_timeout", ParseDuration(config.progress_timeout())));
  return policy;
}

}  // namespace

absl::StatusOr<FederationOptions> ResolveFederation(const v1::FederationConfig& config, const std::string& key) {
  FederationOptions options;
  options.name = config.name();
  if (absl::Status status = CheckId("name", options.name); !status.ok()) return Wrong(key + ".name", status.message());
  options.base_model = config.base_model();
  CAIRN_RETURN_IF_ERROR(ResolveMethod(config, key, options));
  CAIRN_ASSIGN_OR_RETURN(options.policy, PolicyFrom(config, key));
  if (!config.modules().empty() || !config.tensors().empty()) {
    CAIRN_ASSIGN_OR_RETURN(options.spec, SpecFrom(config, key));
  }
  return options;
}

void FillFederationDefaults(v1::FederationConfig& federation) {
  if (federation.combine().empty()) federation.set_combine("stack");
  if (federation.rule().empty()) federation.set_rule("examples");
  if (federation.progress_timeout().empty()) federation.set_progress_timeout("10m");
  v1::Clients& clients = *federation.mutable_clients();
  if (clients.min() == 0) clients.set_min(1);
  if (clients.target() == 0) clients.set_target(clients.min());
}

}  // namespace cairn
