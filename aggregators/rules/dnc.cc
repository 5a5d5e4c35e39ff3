// Divide and conquer (Shejwalkar, Houmansadr, NDSS 2021, algorithm 2), on all coordinates: the updates that lie
// farthest out along the direction of the largest variance go. With H = I - 11^T / n and the top eigenpair (lambda, u)
// of H K H, that direction is v = X H u / sqrt(lambda), so that <x_i - mean, v>^2 = lambda u_i^2.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "aggregators/kernels/combination.h"
#include "aggregators/kernels/symmetric_eigen.h"
#include "aggregators/rule.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kFactorMax = 1e4;
constexpr double kRounding = 1e-9;  // So that 2.8 times 45 are 126, though 2.8 is a little less than 28/10.

absl::StatusOr<std::vector<double>> ScoresOf(const kernels::SmallMatrix& gram) {
  const std::vector<double> equal(gram.rows, 1 / static_cast<double>(gram.rows));
  CAIRN_ASSIGN_OR_RETURN(const kernels::Eigen eigen,
                         kernels::SymmetricEigen(kernels::Centred(kernels::FromMedoid(gram), equal)));
  const std::size_t top = gram.rows - 1;
  std::vector<double> scores;
  for (std::size_t i = 0; i < gram.rows; ++i) {
    const double u = eigen.vectors.at(i, top);
    scores.push_back(std::max(0.0, eigen.values[top]) * u * u);
  }
  return scores;
}

class DivideAndConquer final : public Rule {
 public:
  explicit DivideAndConquer(Faulty faulty) : faulty_(faulty) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const Faulty faulty, Faulty::Take(options));
    auto rule = std::make_unique<DivideAndConquer>(faulty);
    CAIRN_ASSIGN_OR_RETURN(rule->factor_, options.TakeNumber("c", 1, 0, kFactorMax));
    return rule;
  }

  absl::string_view name() const override { return "dnc"; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    CAIRN_RETURN_IF_ERROR(CheckMost("rule dnc", columns, limits::kDncClientsMax));
    CAIRN_RETURN_IF_ERROR(CheckBound("rule dnc", columns, faulty, 2 * faulty + 1, "n >= 2f + 1"));
    return CheckBound(absl::StrCat("rule dnc:c=", factor_), columns, faulty, Removed(faulty) + 1,
                      "n >= floor(c f) + 1");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const std::size_t n = input.columns, removed = Removed(input.faulty), kept = n - removed;
    RuleOutput output{.weights = std::vector<double>(n, 1 / static_cast<double>(kept)),
                      .reasons = std::vector<std::string>(n)};
    if (removed == 0) return output;
    CAIRN_ASSIGN_OR_RETURN(const std::vector<double> scores, ScoresOf(*input.gram));
    std::vector<std::size_t> order(n);  // By score; of equal ones the lower index first.
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return scores[i] < scores[j]; });
    for (std::size_t place = kept; place < n; ++place) {
      output.weights[order[place]] = 0;
      output.reasons[order[place]] = absl::StrFormat("removed as an outlier: score %.3g, kept ones at most %.3g",
                                                     scores[order[place]], scores[order[kept - 1]]);
    }
    return output;
  }

 private:
  std::size_t Removed(std::size_t faulty) const {
    return static_cast<std::size_t>(factor_ * static_cast<double>(faulty) + kRounding);
  }

  Faulty faulty_;
  double factor_ = 1;
};

CAIRN_REGISTER_RULE("dnc", DivideAndConquer);

}  // namespace
}  // namespace cairn
