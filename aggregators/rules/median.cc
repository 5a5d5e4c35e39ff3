// The median of every coordinate (Yin et al., arXiv 1803.01498, definition 1).
#include "aggregators/coordinate_wise.h"

namespace cairn {
namespace {

class Median final : public CoordinateWise {
 public:
  absl::string_view name() const override { return "median"; }

 private:
  kernels::CoordinateRule Kernel(std::size_t, std::size_t) const override {
    return {.kind = kernels::CoordinateRule::Kind::kMedian};
  }
};

CAIRN_REGISTER_RULE("median", Median);

}  // namespace
}  // namespace cairn
