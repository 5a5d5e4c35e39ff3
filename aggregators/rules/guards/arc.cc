// Adaptive robust clipping (Allouah et al., arXiv 2405.14432): the k longest updates become as long as the next one,
// with k = floor(2 f (n - f) / n). So the bound comes from the honest clients, and a round in which all are small stays
// one.
#include <algorithm>

#include "aggregators/clipping.h"
#include "aggregators/majority_guard.h"

namespace cairn {
namespace {

class Arc final : public MajorityGuard {
 public:
  using MajorityGuard::MajorityGuard;
  static absl::StatusOr<std::unique_ptr<Guard>> Make(RuleOptions& options) { return MakeMajorityGuard<Arc>(options); }
  absl::string_view name() const override { return "arc"; }
  absl::StatusOr<kernels::SmallMatrix> Mix(const GuardInput& input) const override {
    const std::vector<double> norms = NormsOf(input.gram);
    const std::size_t n = norms.size(), longest = 2 * input.faulty * (n - input.faulty) / n;
    std::vector<double> ascending = norms;
    std::sort(ascending.begin(), ascending.end());
    return ClippedTo(ascending[n - longest - 1], norms);
  }
};

CAIRN_REGISTER_GUARD("arc", Arc);

}  // namespace
}  // namespace cairn
