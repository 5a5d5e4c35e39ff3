#include "aggregators/rule.h"

namespace cairn {
namespace {

internal::Named<RuleFactory>& Factories() {
  static auto& factories = *new internal::Named<RuleFactory>("rule");
  return factories;
}

}  // namespace

bool RegisterRule(absl::string_view name, RuleFactory factory) { return Factories().Add(name, factory); }
absl::StatusOr<std::unique_ptr<Rule>> MakeRule(absl::string_view spec) { return Factories().Make<Rule>(spec); }
std::vector<std::string> RuleNames() { return Factories().Names(); }

}  // namespace cairn
