#include "aggregators/weighing.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aggregators/registry.h"
#include "aggregators/weighing_round.h"
#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<Weighing> Weighing::Create(const std::string& rule, absl::Span<const std::string> guards) {
  Weighing weighing;
  CAIRN_ASSIGN_OR_RETURN(weighing.rule_, MakeRule(rule));
  for (const std::string& spec : guards) {
    CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Guard> guard, MakeGuard(spec));
    if (guard->needs_faulty() && !guard->faulty() && !weighing.rule_->faulty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("guard ", guard->name(), ": f: expected how many clients may lie, ", "since rule ",
                       weighing.rule_->name(), " has no f; for example ", guard->name(), ":f=1"));
    }
    if (guard->mixes()) weighing.guards_.push_back(std::move(guard));
  }
  const Rule::Needs needs = weighing.rule_->needs();
  weighing.needs_gram_ = needs.gram || !weighing.guards_.empty();
  weighing.drops_ = !guards.empty() || weighing.needs_gram_ || weighing.rule_->coordinate_wise();
  return weighing;
}

std::size_t Weighing::RuleFaulty(std::size_t clients, std::size_t dropped) const {
  const std::optional<Faulty> faulty = rule_->faulty();
  return faulty ? faulty->Among(clients + dropped, dropped) : 0;
}

std::size_t Weighing::GuardFaulty(const Guard& guard, std::size_t clients, std::size_t dropped) const {
  const std::optional<Faulty> own = guard.faulty();
  return own ? own->Among(clients + dropped, dropped) : RuleFaulty(clients, dropped);
}

absl::Status Weighing::CheckColumns(std::size_t clients, std::size_t dropped) const {
  std::size_t columns = clients;
  for (const std::unique_ptr<Guard>& guard : guards_) {
    CAIRN_RETURN_IF_ERROR(guard->CheckClients(columns, GuardFaulty(*guard, clients, dropped)));
    columns = guard->ColumnsOf(columns);
  }
  const absl::Status status = rule_->CheckClients(columns, RuleFaulty(clients, dropped));
  if (status.ok() || columns == clients) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), " of the guards, which make ", columns, " of ",
                                                  clients, " clients"));
}

absl::Status Weighing::CheckClients(std::size_t clients) const {
  const Rule::Needs needs = rule_->needs();
  const std::size_t apart = !needs.client.empty() && !needs.client_counts ? 1 : 0;
  if (clients > apart) return CheckColumns(clients - apart, 0);
  return absl::InvalidArgumentError(absl::StrCat("rule ", rule_->name(), " needs at least ", apart + 1, " clients",
                                                 apart == 1 ? ", \"" + needs.client + "\" and another" : "", ", got ",
                                                 clients));
}

absl::Status Weighing::CheckClients(std::size_t least, std::size_t most) const {
  for (std::size_t clients = least; clients <= most; ++clients) CAIRN_RETURN_IF_ERROR(CheckClients(clients));
  return absl::OkStatus();
}

absl::Status Weighing::CheckCombine(const Aggregator& combine, bool relative) const {
  const bool any = rule_->any_weights() || rule_->coordinate_wise() || relative;
  if (!any || combine.linear()) return absl::OkStatus();
  std::vector<std::string> linear;
  for (const std::string& name : AggregatorNames()) {
    const auto made = MakeAggregator(name);
    if (made.ok() && (*made)->linear()) linear.push_back(name);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      relative                   ? "updates that are measured from an adapter need a sum of products"
      : rule_->coordinate_wise() ? absl::StrCat("rule ", rule_->name(), " looks at products entry by entry")
                                 : absl::StrCat("the weights of rule ", rule_->name(), " need a sum of products"),
      ", and combine ", combine.name(), " averages factors: expected combine ", absl::StrJoin(linear, " or ")));
}

absl::StatusOr<WeighingOutput> Weighing::Weigh(const WeighingInput& input) const {
  return internal::WeighingRound(*this, input).Run();
}

}  // namespace cairn
