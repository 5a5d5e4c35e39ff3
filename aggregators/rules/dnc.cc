// Divide and conquer (Shejwalkar, Houmansadr, NDSS 2021, algorithm 2), on all coordinates: the updates that lie
// farthest out along the direction of the largest variance go. With H = I - 11^T / n and the top eigenpair (lambda, u)
// of H K H, that direction is v = X H u / sqrt(lambda), so that <x_i - mean, v>^2 = lambda u_i^2.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "aggregators/kernels/combination.h"
#include "aggregators/kernels/least.h"
#include "aggregators/kernels/symmetric_eigen.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kFactorMax = 1e4;

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
    const std::size_t removed = Removed(input.faulty), kept = input.columns - removed;
    std::vector<double> scores(input.columns);
    if (removed > 0) {
      CAIRN_ASSIGN_OR_RETURN(scores, ScoresOf(*input.gram));
    }
    const std::vector<std::size_t> chosen = kernels::IndicesOfLeast(scores, kept);
    double highest = 0;
    for (const std::size_t i : chosen) highest = std::max(highest, scores[i]);
    return MeanOf(input, chosen, [&](std::size_t i) {
      return absl::StrFormat("removed as an outlier: score %.3g, kept ones at most %.3g", scores[i], highest);
    });
  }

 private:
  std::size_t Removed(std::size_t faulty) const { return WholePartOf(factor_, faulty); }

  Faulty faulty_;
  double factor_ = 1;
};

CAIRN_REGISTER_RULE("dnc", DivideAndConquer);

}  // namespace
}  // namespace cairn
