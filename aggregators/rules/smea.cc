// Smallest-maximum-eigenvalue averaging (Allouah et al., arXiv 2302.04787): the mean of the n - f updates that vary
// least along the direction along which they vary most.
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/least_variance.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "aggregators/subset_limit.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class Smea final : public Rule {
 public:
  explicit Smea(const Faulty& faulty) : faulty_(faulty) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const Faulty faulty, Faulty::Take(options));
    return std::make_unique<Smea>(faulty);
  }

  absl::string_view name() const override { return "smea"; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    CAIRN_RETURN_IF_ERROR(CheckBound("rule smea", columns, faulty, 2 * faulty + 1, "n >= 2f + 1"));
    CAIRN_RETURN_IF_ERROR(CheckMost("rule smea", columns, limits::kSmeaClientsMax));
    return CheckSubsets("rule smea", columns, faulty, limits::kSmeaSubsetsMax);
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const kernels::LeastVariance least = kernels::FindLeastVariance(*input.gram, input.columns, input.faulty);
    return MeanOf(input, least.subset, [&](std::size_t) {
      return absl::StrCat("not among the ", least.subset.size(), " of the least variance, ", least.variance);
    });
  }

 private:
  Faulty faulty_;
};

CAIRN_REGISTER_RULE("smea", Smea);

}  // namespace
}  // namespace cairn
