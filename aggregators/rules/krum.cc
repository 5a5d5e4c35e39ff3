// Krum (Blanchard et al., arXiv 1703.02757): the one update that lies nearest to those around it.
#include "aggregators/kernels/krum.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregators/krum_options.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class Krum final : public Rule {
 public:
  explicit Krum(const KrumOptions& options) : options_(options) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const KrumOptions taken, KrumOptions::Take(options));
    return std::make_unique<Krum>(taken);
  }

  absl::string_view name() const override { return "krum"; }
  std::optional<Faulty> faulty() const override { return options_.faulty; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return options_.CheckClients("rule krum", columns, faulty);
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const std::vector<double> scores =
        kernels::KrumScores(*input.gram, input.columns, {options_.convention, input.faulty});
    const auto least = std::min_element(scores.begin(), scores.end());
    const std::size_t chosen[] = {static_cast<std::size_t>(least - scores.begin())};
    return MeanOf(input, chosen, [&](std::size_t column) {
      if (scores[column] == *least)
        return absl::StrCat("krum score ", *least, ", as the chosen one, which comes first");
      return absl::StrCat("krum score ", scores[column], ", above the chosen ", *least);
    });
  }

 private:
  KrumOptions options_;
};

CAIRN_REGISTER_RULE("krum", Krum);

}  // namespace
}  // namespace cairn
