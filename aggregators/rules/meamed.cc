// The mean of the n - f values nearest to the median, in every coordinate (Xie et al., arXiv 1802.10116).
#include "aggregators/coordinate_wise.h"

namespace cairn {
namespace {

using kernels::CoordinateRule;

class Meamed final : public TrimmingCoordinateWise {
 public:
  using TrimmingCoordinateWise::TrimmingCoordinateWise;
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) { return MakeTrimming<Meamed>(options); }
  absl::string_view name() const override { return "meamed"; }

 private:
  CoordinateRule Kernel(std::size_t columns, std::size_t faulty) const override {
    return {.kind = CoordinateRule::Kind::kMeamed, .count = columns - faulty};
  }
};

CAIRN_REGISTER_RULE("meamed", Meamed);

}  // namespace
}  // namespace cairn
