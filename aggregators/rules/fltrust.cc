// FLTrust (Cao, Fang, Liu, Gong, arXiv 2012.13995, algorithm 2): a client whose update is trusted, the root, says which
// way to go and how far. The others count by the cosine of their angle with it, where that is above 0, with their norms
// made equal to its own:
//   y = sum of TS_i (||g_0|| / ||x_i||) x_i / sum of TS_i, TS_i = max(0, cos(x_i, g_0)).
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "aggregators/clipping.h"
#include "aggregators/kernels/combination.h"
#include "aggregators/rule.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class FlTrust final : public Rule {
 public:
  explicit FlTrust(std::string root) : root_(std::move(root)) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    const std::optional<std::string> root = options.TakeText("root");
    if (!root) {
      return absl::InvalidArgumentError(
          "fltrust: root: expected the id of the client whose update is trusted, got nothing; for example "
          "fltrust:root=server");
    }
    CAIRN_RETURN_IF_ERROR(CheckId("fltrust: root", *root));
    return std::make_unique<FlTrust>(*root);
  }

  absl::string_view name() const override { return "fltrust"; }
  Needs needs() const override { return {.client = root_, .client_counts = false}; }
  bool shares() const override { return false; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule fltrust", columns, faulty, 1, "n >= 1 beside the root");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const kernels::SmallMatrix& gram = *input.gram;
    const std::vector<double> norms = NormsOf(gram);
    const double root = norms[*input.named];
    RuleOutput output{.weights = std::vector<double>(gram.rows), .reasons = std::vector<std::string>(input.columns)};
    std::vector<double> trust(input.columns), lengthened(input.columns);
    for (std::size_t i = 0; i < input.columns; ++i) {
      const double cosine = kernels::Cosine(gram, i, *input.named);
      lengthened[i] = root / norms[i];
      // So small an update that no number can make it as long as the root's has no direction.
      const bool zero = root == 0 || !std::isfinite(lengthened[i]);
      if (!zero && cosine > 0) {
        trust[i] = cosine;
      } else {
        output.reasons[i] = WhyNot(root == 0, zero, cosine);
      }
    }
    const double sum = std::accumulate(trust.begin(), trust.end(), 0.0);
    for (std::size_t i = 0; i < input.columns; ++i) {
      if (trust[i] > 0) output.weights[i] = trust[i] / sum * lengthened[i];
    }
    return output;
  }

 private:
  static std::string WhyNot(bool root_is_zero, bool zero, double cosine) {
    if (root_is_zero) return "the root's update is zero";
    if (zero) return "its update is zero";
    return absl::StrFormat("points away from the root (cosine %.3g)", cosine);
  }

  std::string root_;
};

CAIRN_REGISTER_RULE("fltrust", FlTrust);

}  // namespace
}  // namespace cairn
