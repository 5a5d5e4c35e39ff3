// Bulyan (El Mhamdi et al., arXiv 1802.07927): Krum picks n - 2f updates one after the other, and every
// coordinate is the mean of those of its values among them that are nearest to their median.
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/coordinate.h"
#include "aggregators/kernels/krum.h"
#include "aggregators/krum_options.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class Bulyan final : public Rule {
 public:
  explicit Bulyan(const KrumOptions& options) : options_(options) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const KrumOptions taken, KrumOptions::Take(options));
    return std::make_unique<Bulyan>(taken);
  }

  absl::string_view name() const override { return "bulyan"; }
  bool coordinate_wise() const override { return true; }
  std::optional<Faulty> faulty() const override { return options_.faulty; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule bulyan", columns, faulty, 4 * faulty + 3, "n >= 4f + 3");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const std::size_t theta = input.columns - 2 * input.faulty;
    const std::vector<std::size_t> picks =
        kernels::KrumPicks(*input.gram, input.columns, {options_.convention, input.faulty}, theta);
    RuleOutput output = MeanOf(input, picks, [theta](std::size_t) {
      return absl::StrCat("not among the ", theta, " that krum picked one after the other");
    });
    output.coordinates = {.kind = kernels::CoordinateRule::Kind::kMeamed, .count = theta - 2 * input.faulty};
    return output;
  }

 private:
  KrumOptions options_;
};

CAIRN_REGISTER_RULE("bulyan", Bulyan);

}  // namespace
}  // namespace cairn
