#include "aggregators/weigh.h"

#include "absl/strings/str_cat.h"
#include "aggregators/named.h"

namespace cairn {
namespace {

internal::Named<WeightRuleFactory>& Factories() {
  static auto& factories = *new internal::Named<WeightRuleFactory>("rule");
  return factories;
}

}  // namespace

bool RegisterWeightRule(absl::string_view name, WeightRuleFactory factory) { return Factories().Add(name, factory); }
absl::StatusOr<std::unique_ptr<WeightRule>> MakeWeightRule(absl::string_view spec) {
  return Factories().Make<WeightRule>(spec);
}
std::vector<std::string> WeightRuleNames() { return Factories().Names(); }

absl::Status CheckGuards(absl::Span<const std::string> guards) {
  if (guards.empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no guard is called \"", guards.front(), "\"; this version has none"));
}

absl::StatusOr<std::vector<double>> WeightsOf(absl::string_view rule, const Aggregator& aggregator) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<WeightRule> made, MakeWeightRule(rule));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ClientWeight> clients, made->Weigh(aggregator.updates()));
  std::vector<double> weights;
  for (const ClientWeight& client : clients) weights.push_back(client.weight);
  return weights;
}

}  // namespace cairn
