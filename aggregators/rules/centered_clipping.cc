// Centred clipping (Karimireddy, He, Jaggi, arXiv 2012.10333, algorithm 2): from what the last round gave towards the
// updates, by no more than tau for any of them:
//   v <- v + (1/n) sum of (x_i - v) min(1, tau / ||x_i - v||).
// Every v is a combination of the updates and the first v, with weights that are never below 0 and sum to 1.
#include <algorithm>
#include <utility>

#include "aggregators/kernels/combination.h"
#include "aggregators/rule.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kTau = 100, kTauMin = 1e-300, kTauMax = 1e300;  // In the unit of the updates' norms.
constexpr std::int64_t kIterationsMax = 10'000;

class CenteredClipping final : public Rule {
 public:
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    auto rule = std::make_unique<CenteredClipping>();
    CAIRN_ASSIGN_OR_RETURN(rule->tau_, options.TakeNumber("tau", kTau, kTauMin, kTauMax));
    CAIRN_ASSIGN_OR_RETURN(rule->iterations_, options.TakeInteger("iterations", 1, 1, kIterationsMax));
    return rule;
  }

  absl::string_view name() const override { return "centered_clipping"; }
  Needs needs() const override { return {.last = true}; }
  bool any_weights() const override { return true; }  // What the last round gave counts.
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule centered_clipping", columns, faulty, 1, "n >= 1");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    // In the first round v starts at zero, a column that is not there.
    const std::size_t first = input.last.value_or(input.gram->rows);
    const kernels::SmallMatrix gram =
        kernels::FromMedoid(input.last ? *input.gram : kernels::WithZeroColumn(*input.gram));
    std::vector<double> weights(gram.rows);
    weights[first] = 1;
    for (std::int64_t i = 0; i < iterations_; ++i) {
      Step(kernels::DistancesFrom(gram, weights), input.columns, weights);
    }
    weights.resize(input.gram->rows);
    return RuleOutput{.weights = std::move(weights)};
  }

 private:
  // v + (1/n) sum of s_i (x_i - v) as (1 - mean of s_i) v + (1/n) sum of s_i x_i.
  void Step(const std::vector<double>& distances, std::size_t columns, std::vector<double>& weights) const {
    const auto n = static_cast<double>(columns);
    std::vector<double> steps(columns);
    double rest = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      steps[i] = distances[i] > tau_ ? tau_ / distances[i] : 1;
      rest += (1 - steps[i]) / n;
    }
    for (double& weight : weights) weight *= rest;
    for (std::size_t i = 0; i < columns; ++i) weights[i] += steps[i] / n;
  }

  double tau_ = kTau;
  std::int64_t iterations_ = 1;
};

CAIRN_REGISTER_RULE("centered_clipping", CenteredClipping);

}  // namespace
}  // namespace cairn
