#include "aggregators/weighing.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<Weighing> Weighing::Create(const std::string& rule, absl::Span<const std::string> guards) {
  Weighing weighing;
  CAIRN_ASSIGN_OR_RETURN(weighing.rule_, MakeRule(rule));
  for (const std::string& guard : guards) {
    CAIRN_ASSIGN_OR_RETURN(weighing.guards_.emplace_back(), MakeGuard(guard));
  }
  weighing.needs_gram_ = weighing.rule_->needs().gram || !weighing.guards_.empty();
  return weighing;
}

absl::Status Weighing::CheckClients(std::size_t clients) const { return rule_->CheckClients(clients, 0); }

absl::Status Weighing::CheckClients(std::size_t least, std::size_t most) const {
  for (std::size_t clients = least; clients <= most; ++clients) CAIRN_RETURN_IF_ERROR(CheckClients(clients));
  return absl::OkStatus();
}

absl::Status Weighing::CheckCombine(const Aggregator&) const { return absl::OkStatus(); }

absl::StatusOr<WeighingOutput> Weighing::Weigh(const WeighingInput& input) const {
  CAIRN_ASSIGN_OR_RETURN(const RuleOutput result,
                         rule_->Weigh({.columns = input.clients.size(), .examples = input.examples}));
  WeighingOutput output;
  for (const double weight : result.weights) output.clients.push_back({.weight = weight});
  return output;
}

}  // namespace cairn
