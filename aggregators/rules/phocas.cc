// The mean of the n - f values nearest to the trimmed mean, in every coordinate (Xie et al., arXiv 1805.09682).
#include "aggregators/coordinate_wise.h"

namespace cairn {
namespace {

using kernels::CoordinateRule;

class Phocas final : public TrimmingCoordinateWise {
 public:
  using TrimmingCoordinateWise::TrimmingCoordinateWise;
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) { return MakeTrimming<Phocas>(options); }
  absl::string_view name() const override { return "phocas"; }

 private:
  CoordinateRule Kernel(std::size_t columns, std::size_t faulty) const override {
    return {.kind = CoordinateRule::Kind::kPhocas, .count = columns - faulty, .trim = faulty};
  }
};

CAIRN_REGISTER_RULE("phocas", Phocas);

}  // namespace
}  // namespace cairn
