// Rules that decide how much each client counts, and guards before them. `examples` is the default; nothing includes
// rules/, where they are.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "aggregators/aggregator.h"
#include "aggregators/rule_options.h"

namespace cairn {

// What a rule says of one client.
struct ClientWeight {
  double weight = 0;  // 0: it does not count.
  bool accepted = true;
  std::string reason;  // Why not, for people. Empty when accepted.
};

// Weights in the order of `updates`; they sum to 1 unless the rule says otherwise.
class WeightRule {
 public:
  virtual ~WeightRule() = default;
  virtual absl::string_view name() const = 0;
  // INVALID_ARGUMENT: fewer clients than the rule needs, with its name and the bound.
  virtual absl::StatusOr<std::vector<ClientWeight>> Weigh(const std::map<std::string, ClientUpdate>& updates) const = 0;
};

using WeightRuleFactory = absl::StatusOr<std::unique_ptr<WeightRule>> (*)(RuleOptions& options);
bool RegisterWeightRule(absl::string_view name, WeightRuleFactory factory);
absl::StatusOr<std::unique_ptr<WeightRule>> MakeWeightRule(absl::string_view spec);  // As MakeAggregator.
std::vector<std::string> WeightRuleNames();

// The weights alone, in client order.
absl::StatusOr<std::vector<double>> WeightsOf(absl::string_view rule, const Aggregator& aggregator);

// NOT_FOUND unless every guard is known; so far there is none.
absl::Status CheckGuards(absl::Span<const std::string> guards);

#define CAIRN_REGISTER_WEIGHT_RULE(name, type)                                                  \
  [[maybe_unused]] static const bool cairn_registered_##type = ::cairn::RegisterWeightRule(     \
      name, [](::cairn::RuleOptions&) -> absl::StatusOr<std::unique_ptr<::cairn::WeightRule>> { \
        return std::make_unique<type>();                                                        \
      })

}  // namespace cairn
