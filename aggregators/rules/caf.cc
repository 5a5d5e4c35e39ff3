// CAF, the covariance-bound agnostic filter (Allouah, Guerraoui, Stephan, arXiv 2505.01874). Every update has a share
// c_i, at first 1. Shares fall along the direction of the largest variance, in proportion to the squared deviation from
// the mean, until only n - 2f are left; the result is the mean at which that variance was least.
//
// With S = sum of c_i, K_c the inner products of x_i - mean, and D = diag(sqrt(c_i / S)), the covariance has the
// eigenvalues of D K_c D; the eigenvector u of the largest, lambda, gives the direction X_c D u / sqrt(lambda), along
// which x_i deviates by (K_c D u)_i / sqrt(lambda). Exact eigenpairs, where one power step would do for most inputs.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_format.h"
#include "aggregators/kernels/combination.h"
#include "aggregators/kernels/symmetric_eigen.h"
#include "aggregators/rule.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

// Of the columns with a share, along the direction of their largest variance.
struct Spread {
  double variance = 0;
  std::vector<double> deviations;  // (K_c D u)_i: of the mean, times sqrt(variance). With a sign, the same for all.
};

absl::StatusOr<Spread> SpreadOf(const SmallMatrix& gram, const std::vector<double>& weights) {
  const SmallMatrix centred = kernels::Centred(gram, weights);
  const std::size_t n = gram.rows;
  std::vector<double> roots(n);  // The diagonal of D.
  std::transform(weights.begin(), weights.end(), roots.begin(), [](double weight) { return std::sqrt(weight); });
  SmallMatrix covariance = centred;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) covariance.at(i, j) *= roots[i] * roots[j];
  }
  CAIRN_ASSIGN_OR_RETURN(const kernels::Eigen eigen, kernels::SymmetricEigen(covariance));
  for (std::size_t i = 0; i < n; ++i) roots[i] *= eigen.vectors.at(i, n - 1);
  return Spread{std::max(0.0, eigen.values.back()), kernels::InnerProductsWith(centred, roots)};
}

// Multiplies shares with 1 - (deviation / largest)^2: exactly 0 for the largest. False when nobody deviates.
bool Filter(const std::vector<double>& deviations, std::vector<double>& shares) {
  double largest = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] > 0) largest = std::max(largest, std::abs(deviations[i]));
  }
  if (largest == 0) return false;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double part = deviations[i] / largest;
    if (shares[i] > 0) shares[i] *= 1 - part * part;
  }
  return true;
}

std::vector<double> Normalised(std::vector<double> shares) {
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

class Caf final : public Rule {
 public:
  explicit Caf(Faulty faulty) : faulty_(faulty) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const Faulty faulty, Faulty::Take(options));
    return std::make_unique<Caf>(faulty);
  }

  absl::string_view name() const override { return "caf"; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    CAIRN_RETURN_IF_ERROR(CheckMost("rule caf", columns, limits::kCafClientsMax));
    return CheckBound("rule caf", columns, faulty, 2 * faulty + 1, "n >= 2f + 1");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const std::size_t n = input.columns;
    const auto least = static_cast<double>(n - 2 * input.faulty);
    const SmallMatrix gram = kernels::FromMedoid(*input.gram);
    std::vector<double> shares(n, 1);
    RuleOutput output{.weights = Normalised(shares), .reasons = std::vector<std::string>(n)};
    std::vector<std::string> reasons(n);
    double best = std::numeric_limits<double>::infinity();
    while (std::accumulate(shares.begin(), shares.end(), 0.0) > least) {
      const std::vector<double> weights = Normalised(shares);
      CAIRN_ASSIGN_OR_RETURN(const Spread spread, SpreadOf(gram, weights));
      if (spread.variance < best) {
        best = spread.variance;
        output.weights = weights;
        output.reasons = reasons;
      }
      if (spread.variance == 0 || !Filter(spread.deviations, shares)) break;
      Explain(spread, shares, reasons);
    }
    return output;
  }

 private:
  // Of those who have just lost their whole share.
  static void Explain(const Spread& spread, const std::vector<double>& shares, std::vector<std::string>& reasons) {
    const double deviation = std::sqrt(spread.variance);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (shares[i] > 0 || !reasons[i].empty()) continue;
      reasons[i] = absl::StrFormat("removed as an outlier: %.3g from the mean, where the standard deviation is %.3g",
                                   std::abs(spread.deviations[i]) / deviation, deviation);
    }
  }

  Faulty faulty_;
};

CAIRN_REGISTER_RULE("caf", Caf);

}  // namespace
}  // namespace cairn
