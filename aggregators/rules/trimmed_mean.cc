// The mean of every coordinate without its f lowest and f highest values (Yin et al., arXiv 1803.01498, definition 2).
#include "aggregators/coordinate_wise.h"

namespace cairn {
namespace {

using kernels::CoordinateRule;

class TrimmedMean final : public TrimmingCoordinateWise {
 public:
  using TrimmingCoordinateWise::TrimmingCoordinateWise;
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) { return MakeTrimming<TrimmedMean>(options); }
  absl::string_view name() const override { return "trimmed_mean"; }

 private:
  CoordinateRule Kernel(std::size_t, std::size_t faulty) const override {
    return {.kind = CoordinateRule::Kind::kTrimmedMean, .count = faulty};
  }
};

CAIRN_REGISTER_RULE("trimmed_mean", TrimmedMean);

}  // namespace
}  // namespace cairn
