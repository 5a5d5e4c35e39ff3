// Multi-Krum (Blanchard et al., arXiv 1703.02757): the mean of the m updates that Krum scores best.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/krum.h"
#include "aggregators/kernels/least.h"
#include "aggregators/krum_options.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class MultiKrum final : public Rule {
 public:
  MultiKrum(const KrumOptions& options, std::size_t m) : options_(options), m_(m) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const KrumOptions taken, KrumOptions::Take(options));
    CAIRN_ASSIGN_OR_RETURN(const std::int64_t m, options.TakeInteger("m", 0, 1, limits::kCohortClientsMax));
    return std::make_unique<MultiKrum>(taken, static_cast<std::size_t>(m));
  }

  absl::string_view name() const override { return "multi_krum"; }
  std::optional<Faulty> faulty() const override { return options_.faulty; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    CAIRN_RETURN_IF_ERROR(options_.CheckClients("rule multi_krum", columns, faulty));
    if (m_ <= columns - faulty) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("rule multi_krum: m: expected at most n - f = ", columns - faulty,
                                                   " of ", columns, " clients with f = ", faulty, ", got ", m_));
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const std::vector<double> scores =
        kernels::KrumScores(*input.gram, input.columns, {options_.convention, input.faulty});
    const std::vector<std::size_t> chosen = kernels::IndicesOfLeast(scores, ChosenOf(input.columns, input.faulty));
    double most = 0;
    for (const std::size_t column : chosen) most = std::max(most, scores[column]);
    return MeanOf(input, chosen, [&](std::size_t column) {
      return absl::StrCat("krum score ", scores[column], ", the ", chosen.size(), " chosen at most ", most);
    });
  }

 private:
  std::size_t ChosenOf(std::size_t columns, std::size_t faulty) const {
    if (m_ > 0) return m_;
    return columns - faulty - (options_.convention == kernels::KrumConvention::kBlanchard ? 2 : 0);
  }

  KrumOptions options_;
  std::size_t m_;  // 0: what the convention says.
};

CAIRN_REGISTER_RULE("multi_krum", MultiKrum);

}  // namespace
}  // namespace cairn
