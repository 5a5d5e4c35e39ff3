// HetLoRA (Cho et al., arXiv 2401.06432): zero-padding, where a client counts in a module by the norm of its update
// there. The rule weight decides only who counts at all, unless by=norm_examples.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "aggregators/averages.h"
#include "aggregators/module_values.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class HetLora final : public Aggregator {
 public:
  static absl::StatusOr<std::unique_ptr<Aggregator>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const std::string by, options.TakeChoice("by", {"norm", "norm_examples"}));
    return std::make_unique<HetLora>(by == "norm_examples");
  }
  explicit HetLora(bool by_examples) : by_examples_(by_examples) {}

  absl::string_view name() const override { return "hetlora"; }
  Locality locality() const override { return Locality::kShardLocal; }
  RoundStart round_start() const override { return RoundStart::kWarm; }

 protected:
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return std::max(so_far, added); }
  // Weights that sum to 1: a client that lacks the module has norm 0 there. Equal ones where all norms are 0.
  absl::StatusOr<std::vector<WeightedModule>> DoWeigh(absl::Span<const WeightedModule> inputs) const override {
    std::vector<WeightedModule> weighted;
    for (const auto& [weight, module] : inputs) {
      CAIRN_ASSIGN_OR_RETURN(double norm, NormOfProduct(*module));
      norm *= std::abs(module->scale);
      weighted.push_back({by_examples_ ? weight * norm : norm, module});
    }
    const double total = TotalWeight(weighted);
    for (WeightedModule& input : weighted) {
      input.weight = total > 0 ? input.weight / total : 1 / static_cast<double>(weighted.size());
    }
    return weighted;
  }
  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    const std::int64_t rank = WidestRank(inputs);
    return Factors{AverageA(inputs, rank), SumB(inputs, rank)};
  }

 private:
  const bool by_examples_;
};

CAIRN_REGISTER_COMBINE("hetlora", HetLora);

}  // namespace
}  // namespace cairn
