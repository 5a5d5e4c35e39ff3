// The Flag Aggregator (Almasi, Mishra, Vamanan, Ravi, arXiv 2302.05865): the mean of the updates, projected onto the
// subspace Y of aggregators/flag_subspace.h:
//   y = Y Y^T (sum of x_i) / n            variant=paper
//   y = Y Y^T (sum of x_i / ||x_i||) / m  variant=reference, as the authors' published program: of updates whose
//                                         lengths do not count
// Neither rejects an update: what a long one does is bounded in the direction of Y alone, and in variant=paper it makes
// the mean as long as it is. docs/robustness.md has the limits.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/column_span.h"
#include "aggregators/flag_subspace.h"
#include "aggregators/kernels/small_product.h"
#include "aggregators/rule.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

constexpr double kLambdaMax = 1e6;
constexpr double kEpsilon = 1e-7, kEpsilonMin = 1e-30, kEpsilonMax = 1;
constexpr std::int64_t kIterations = 5, kIterationsMax = 1000;

class Flag final : public Rule {
 public:
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    auto rule = std::make_unique<Flag>();
    CAIRN_ASSIGN_OR_RETURN(const std::string variant, options.TakeChoice("variant", {"paper", "reference"}));
    rule->paper_ = variant == "paper";
    constexpr auto kMost = static_cast<std::int64_t>(limits::kCohortClientsMax);
    CAIRN_ASSIGN_OR_RETURN(rule->dimensions_, options.TakeInteger("m", 0, 1, kMost));
    CAIRN_ASSIGN_OR_RETURN(rule->lambda_, options.TakeNumber("lambda", -1, 0, kLambdaMax));
    CAIRN_ASSIGN_OR_RETURN(rule->iterations_, options.TakeInteger("iterations", kIterations, 1, kIterationsMax));
    CAIRN_ASSIGN_OR_RETURN(rule->epsilon_, options.TakeNumber("epsilon", kEpsilon, kEpsilonMin, kEpsilonMax));
    return rule;
  }

  absl::string_view name() const override { return "flag"; }
  bool any_weights() const override { return true; }
  bool shares() const override { return false; }
  absl::Status CheckClients(std::size_t columns, std::size_t) const override {
    CAIRN_RETURN_IF_ERROR(CheckMost("rule flag", columns, ClientsMax()));
    if (columns >= OptionsFor(columns).dimensions) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("rule flag with m = ", dimensions_, " needs at least ", dimensions_,
                                                   " clients (n >= m), got ", columns));
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    RuleOutput output{.weights = std::vector<double>(input.columns),
                      .reasons = std::vector<std::string>(input.columns, "its update is zero")};
    CAIRN_ASSIGN_OR_RETURN(const ColumnSpan span, SpanOf(*input.gram));
    if (span.columns.empty()) return output;
    const FlagOptions options = OptionsFor(input.columns);
    CAIRN_ASSIGN_OR_RETURN(const SmallMatrix subspace, FlagSubspace(span, options));
    const std::vector<double> weights = Projected(span, subspace, options);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      output.weights[span.columns[i]] = weights[i];
      output.reasons[span.columns[i]].clear();
    }
    return output;
  }

 private:
  // An iteration takes n^3 steps: more of them, of fewer clients.
  std::size_t ClientsMax() const {
    const double part = static_cast<double>(kIterations) / static_cast<double>(std::max(iterations_, kIterations));
    return static_cast<std::size_t>(std::lround(static_cast<double>(limits::kFlagClientsMax) * std::cbrt(part)));
  }

  FlagOptions OptionsFor(std::size_t clients) const {
    const std::size_t half = (clients + 2) / 2;  // (n + 1) / 2, rounded up.
    return {.paper = paper_,
            .clients = clients,
            .dimensions = dimensions_ > 0 ? static_cast<std::size_t>(dimensions_) : half,
            .lambda = lambda_ >= 0 ? lambda_ : (paper_ ? static_cast<double>(clients) : 0),
            .epsilon = epsilon_,
            .iterations = iterations_};
  }

  // The weights of the columns of the span. Lengths are relative to the longest, so that nothing overflows.
  static std::vector<double> Projected(const ColumnSpan& span, const SmallMatrix& subspace,
                                       const FlagOptions& options) {
    const std::size_t count = span.columns.size();
    const double longest = *std::max_element(span.norms.begin(), span.norms.end());
    const auto parts = static_cast<double>(options.paper ? options.clients : options.dimensions);
    SmallMatrix sum = SmallMatrix::Zero(count, 1);  // Over n or m; in x_i / ||x_i||.
    for (std::size_t i = 0; i < count; ++i) sum.at(i, 0) = (options.paper ? span.norms[i] / longest : 1) / parts;
    const SmallMatrix coordinates = kernels::TransposedProduct(span.coordinates, sum);
    const SmallMatrix projected = kernels::Product(subspace, kernels::TransposedProduct(subspace, coordinates));
    std::vector<double> weights = kernels::Product(span.combinations, projected).values;
    for (std::size_t i = 0; i < count; ++i) weights[i] *= (options.paper ? longest : 1) / span.norms[i];
    return weights;
  }

  bool paper_ = true;
  std::int64_t dimensions_ = 0;  // m; 0: not given.
  double lambda_ = -1;           // Below 0: not given.
  std::int64_t iterations_ = kIterations;
  double epsilon_ = kEpsilon;
};

CAIRN_REGISTER_RULE("flag", Flag);

}  // namespace
}  // namespace cairn
