// Minimum-diameter averaging (El-Mhamdi et al., arXiv 1905.03853): the mean of the n - f updates that lie
// closest together.
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/least_diameter.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "aggregators/subset_limit.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class Mda final : public Rule {
 public:
  explicit Mda(const Faulty& faulty) : faulty_(faulty) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const Faulty faulty, Faulty::Take(options));
    return std::make_unique<Mda>(faulty);
  }

  absl::string_view name() const override { return "mda"; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    CAIRN_RETURN_IF_ERROR(CheckBound("rule mda", columns, faulty, 2 * faulty + 1, "n >= 2f + 1"));
    return CheckSubsets("rule mda", columns, faulty, limits::kMdaSubsetsMax);
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const kernels::LeastDiameter least = kernels::FindLeastDiameter(*input.gram, input.columns, input.faulty);
    return MeanOf(input, least.subset, [&](std::size_t) {
      return absl::StrCat("not among the ", least.subset.size(), " of the least diameter, ",
                          std::sqrt(least.squared_diameter));
    });
  }

 private:
  Faulty faulty_;
};

CAIRN_REGISTER_RULE("mda", Mda);

}  // namespace
}  // namespace cairn
