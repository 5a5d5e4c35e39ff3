#include "server/method_options.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aggregators/publish_form.h"
#include "aggregators/registry.h"
#include "aggregators/weighing.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/config_error.h"
#include "server/root/update.h"

namespace cairn {

using options::ValueOf;
using options::Wrong;

namespace {

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
absl::Status CheckPublish(const PublishForm& form, const Aggregator& combine, const Rule& rule) {
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
  if (form.kind == PublishForm::Kind::kStack && rule.coordinate_wise() && !TakesPlainTensors(combine)) {
    return absl::InvalidArgumentError(absl::StrCat("rule ", rule.name(),
                                                   " looks at products entry by entry, which leaves no factors to "
                                                   "stack: expected rank=N, energy=E or widest, got stack"));
  }
  if (combine.round_start() == RoundStart::kResidual && form.kind != PublishForm::Kind::kStack) {
    return absl::InvalidArgumentError(absl::StrCat("combine ", combine.name(),
                                                   " publishes the units to go on with first and the others behind "
                                                   "them, which a cut would mix: expected stack, got ",
                                                   ToString(form)));
  }
  return absl::OkStatus();
}

// The client that the rule trusts must be one that there can be.
absl::Status CheckTrusted(const std::string& client) {
  return client.empty() ? absl::OkStatus() : CheckId("the client that it trusts", client);
}

// Every number of clients that a round can close with must be enough.
absl::Status CheckBounds(const v1::Clients& clients, const Weighing& weighing) {
  // While a round waits for a client that the rule needs, others may contribute beyond the target.
  const bool waits = !weighing.rule().needs().client.empty();
  const std::size_t most = waits ? limits::kCohortClientsMax : clients.target();
  const absl::Status status = weighing.CheckClients(clients.min(), most);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(status.message(), "; rounds close with clients.min = ", clients.min(),
                                                 " to ", waits ? "" : "clients.target = ", most, " clients"));
}

// Whether `status` is OK; the key goes in front of what is wrong.
absl::Status At(const std::string& key, const absl::Status& status) {
  return status.ok() ? status : Wrong(key, status.message());
}

}  // namespace

absl::StatusOr<Method> ResolveMethod(const v1::FederationConfig& config, const std::string& key) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, ValueOf(key + ".combine", MakeAggregator(config.combine())));
  if (TakesPlainTensors(*combine) && !config.modules().empty()) {
    return Wrong(key + ".modules",
                 absl::StrCat("combine ", combine->name(), " averages tensors by name: expected them under `tensors`"));
  }
  CAIRN_RETURN_IF_ERROR(CheckRule(key, config.rule()));
  Method method{.guards = {config.guards().begin(), config.guards().end()},
                .rule = config.rule(),
                .combine = config.combine(),
                .rule_modules = {config.rule_modules().begin(), config.rule_modules().end()},
                .relative_to_published = config.relative_to_published()};
  CAIRN_ASSIGN_OR_RETURN(const Weighing weighing,
                         ValueOf(key + ".guards", Weighing::Create(method.rule, method.guards)));
  CAIRN_RETURN_IF_ERROR(At(key + ".rule", CheckTrusted(weighing.rule().needs().client)));
  CAIRN_RETURN_IF_ERROR(At(key + ".rule", weighing.CheckCombine(*combine)));
  CAIRN_RETURN_IF_ERROR(
      At(key + ".relative_to_published", weighing.CheckCombine(*combine, method.relative_to_published)));
  CAIRN_RETURN_IF_ERROR(At(key + ".clients", CheckBounds(config.clients(), weighing)));
  if (config.publish().empty()) return method;
  CAIRN_ASSIGN_OR_RETURN(method.publish, ValueOf(key + ".publish", ParsePublishForm(config.publish())));
  CAIRN_RETURN_IF_ERROR(At(key + ".publish", CheckPublish(*method.publish, *combine, weighing.rule())));
  return method;
}

}  // namespace cairn
