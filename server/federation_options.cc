#include "server/federation_options.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/gram.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config/units.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/config_error.h"
#include "server/method_options.h"

namespace cairn {

using options::ValueOf;
using options::Wrong;

namespace {

absl::StatusOr<AdapterSpec> SpecFrom(const v1::FederationConfig& config, const std::string& key) {
  AdapterSpec spec{config.base_model(), {}, {}};
  for (int i = 0; i < config.modules_size(); ++i) {
    const v1::ModuleConfig& module = config.modules(i);
    Layer layer;
    if (!module.layer().empty()) {
      CAIRN_ASSIGN_OR_RETURN(
          layer, ValueOf(absl::StrCat(key, ".modules[", i, "].layer"), LayerFromName(module.layer())));
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

// A name that nothing has would end every round.
absl::Status CheckRuleModules(const std::vector<std::string>& names, const AdapterSpec& spec, const std::string& key) {
  for (const std::string& wanted : names) {
    const auto named = [&](const auto& part) { return IsOrEndsIn(part.name, wanted); };
    if (std::any_of(spec.modules.begin(), spec.modules.end(), named)) continue;
    if (std::any_of(spec.tensors.begin(), spec.tensors.end(), named)) continue;
    return Wrong(
        key, absl::StrCat("expected one of `modules` or `tensors`, or the end of its name behind a dot, got \"", wanted,
                          "\""));
  }
  return absl::OkStatus();
}

round::NodeLoss NodeLossFrom(v1::NodeLoss config) {
  switch (config) {
    case v1::ask_again:
      return round::NodeLoss::kAskAgain;
    case v1::go_on:
      return round::NodeLoss::kGoOn;
    default:
      return round::NodeLoss::kWait;
  }
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
  policy.on_node_loss = NodeLossFrom(config.on_node_loss());
  if (!config.node_timeout().empty()) {
    CAIRN_ASSIGN_OR_RETURN(policy.node_timeout, ValueOf(key + ".node_timeout", ParseDuration(config.node_timeout())));
  }
  return policy;
}

}  // namespace

absl::StatusOr<FederationOptions> ResolveFederation(const v1::FederationConfig& config, const std::string& key) {
  FederationOptions options;
  options.name = config.name();
  if (absl::Status status = CheckId("name", options.name); !status.ok()) return Wrong(key + ".name", status.message());
  options.base_model = config.base_model();
  CAIRN_ASSIGN_OR_RETURN(options.policy, PolicyFrom(config, key));
  CAIRN_ASSIGN_OR_RETURN(options.method, ResolveMethod(config, key));
  if (!config.modules().empty() || !config.tensors().empty()) {
    CAIRN_ASSIGN_OR_RETURN(options.spec, SpecFrom(config, key));
    CAIRN_RETURN_IF_ERROR(CheckRuleModules(options.method.rule_modules, *options.spec, key + ".rule_modules"));
  }
  return options;
}

void FillFederationDefaults(v1::FederationConfig& federation) {
  if (federation.combine().empty()) federation.set_combine("stack");
  if (federation.rule().empty()) federation.set_rule("examples");
  if (federation.progress_timeout().empty()) federation.set_progress_timeout("10m");
  if (federation.on_node_loss() == v1::NODE_LOSS_UNSPECIFIED) federation.set_on_node_loss(v1::wait);
  if (federation.node_timeout().empty()) federation.set_node_timeout("60s");
  v1::Clients& clients = *federation.mutable_clients();
  if (clients.min() == 0) clients.set_min(1);
  if (clients.target() == 0) clients.set_target(clients.min());
}

}  // namespace cairn
