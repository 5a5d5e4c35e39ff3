// The geometric median: the point with the least sum of distances to the updates. By Weiszfeld's iteration, smoothed
// (Pillutla et al., RFA, arXiv 1912.13445, algorithm 1): an update nearer than nu counts as if it were nu away.
#include <algorithm>
#include <cmath>
#include <utility>

#include "aggregators/kernels/combination.h"
#include "aggregators/rule.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kNu = 0.1, kNuMin = 1e-300, kNuMax = 1e300;  // In the unit of the updates' norms.
constexpr std::int64_t kIterationsMax = 10'000;
constexpr double kConverged = 1e-12;  // When as many iterations are done as it takes; see Settled.

class GeometricMedian final : public Rule {
 public:
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    auto rule = std::make_unique<GeometricMedian>();
    CAIRN_ASSIGN_OR_RETURN(rule->nu_, options.TakeNumber("nu", kNu, kNuMin, kNuMax));
    CAIRN_ASSIGN_OR_RETURN(rule->iterations_, options.TakeInteger("iterations", 0, 0, kIterationsMax));
    return rule;
  }

  absl::string_view name() const override { return "geometric_median"; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule geometric_median", columns, faulty, 1, "n >= 1");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const kernels::SmallMatrix gram = kernels::FromMedoid(*input.gram);
    std::vector<double> weights(input.columns, 1 / static_cast<double>(input.columns));
    for (std::int64_t done = 0; done < (iterations_ > 0 ? iterations_ : kIterationsMax); ++done) {
      const std::vector<double> distances = kernels::DistancesFrom(gram, weights), before = weights;
      weights = WeightsAt(distances);
      if (iterations_ == 0 && Settled(distances, before, weights)) break;
    }
    return RuleOutput{.weights = std::move(weights)};
  }

 private:
  // In proportion to 1 / max(nu, r_i), with the sum 1.
  std::vector<double> WeightsAt(std::vector<double> distances) const {
    double sum = 0;
    for (double& r : distances) {
      r = 1 / std::max(nu_, r);  // Finite, as nu is no less than 1e-300.
      sum += r;
    }
    for (double& weight : distances) weight /= sum;
    return distances;
  }

  // z moves by the sum of (change of w_i) (x_i - z), which is measured in the mean distance from z. A bound on the
  // change of weights alone would leave z far off: an update at a distance of 1e30 matters at a weight of 1e-30.
  static bool Settled(const std::vector<double>& distances, const std::vector<double>& before,
                      const std::vector<double>& after) {
    double move = 0, mean = 0;
    for (std::size_t i = 0; i < distances.size(); ++i) {
      move += std::abs(after[i] - before[i]) * distances[i];
      mean += after[i] * distances[i];
    }
    return move <= kConverged * mean;
  }

  double nu_ = kNu;
  std::int64_t iterations_ = 0;
};

CAIRN_REGISTER_RULE("geometric_median", GeometricMedian);

}  // namespace
}  // namespace cairn
