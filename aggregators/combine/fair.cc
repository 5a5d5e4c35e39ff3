// LoRA-FAIR (Bian et al., arXiv 2411.14961) in closed form: the average A, with the B that makes up for most of what
// averaging both leaves out. Equal ranks and scales only; nearer to the exact sum than mean, not exact.
#include <utility>
#include <vector>

#include "aggregators/averages.h"
#include "aggregators/equal_ranks.h"
#include "aggregators/kernels/ridge.h"
#include "aggregators/module_values.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class Fair final : public Aggregator {
 public:
  static absl::StatusOr<std::unique_ptr<Aggregator>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const double lambda, options.TakeNumber("lambda", 0.01, 1e-12, 1e12));
    return std::make_unique<Fair>(lambda);
  }
  explicit Fair(double lambda) : lambda_(lambda) {}

  absl::string_view name() const override { return "fair"; }
  Locality locality() const override { return Locality::kShardLocal; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  Kept kept() const override { return {.rank = true}; }

 protected:
  absl::Status DoCheck(const ClientUpdate& update) const override {
    return CheckEqualRanksAndScales(name(), update, [this](absl::string_view module) { return FirstWith(module); });
  }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }

  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    const std::int64_t rank = WidestRank(inputs);
    const FactorPtr a = AverageA(inputs, rank), b = SumB(inputs, rank);
    const std::vector<double> a_values = ReadAllDouble(*a), b_values = ReadAllDouble(*b);
    std::vector<ModuleValues> values;
    std::vector<kernels::ScaledProduct> targets;
    values.reserve(inputs.size());  // The products below are views into them.
    for (const auto& [weight, module] : inputs) {
      CAIRN_ASSIGN_OR_RETURN(ModuleValues own, ReadValues(*module));
      targets.push_back(values.emplace_back(std::move(own)).Times(weight));
    }
    CAIRN_ASSIGN_OR_RETURN(std::vector<double> nearest,
                           kernels::NearestB(targets, {a_values, b_values, b->rows(), rank, a->columns()}, lambda_));
    return Factors{a, ValuesOf(std::move(nearest), b->rows(), rank)};
  }

 private:
  const double lambda_;
};

CAIRN_REGISTER_COMBINE("fair", Fair);

}  // namespace
}  // namespace cairn
