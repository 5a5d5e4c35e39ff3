// Every coordinate moves by one step to where most clients would move it (signSGD with majority vote, Bernstein et al.,
// arXiv 1810.05291).
#include "aggregators/coordinate_wise.h"

namespace cairn {
namespace {

// In units of the update: what float32 factors can hold.
constexpr double kStepMin = 1e-30, kStepMax = 1e30;

class Sign final : public CoordinateWise {
 public:
  explicit Sign(double step) : step_(step) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const double step, options.TakeNumber("step", 1, kStepMin, kStepMax));
    return std::make_unique<Sign>(step);
  }
  absl::string_view name() const override { return "sign"; }

 private:
  kernels::CoordinateRule Kernel(std::size_t, std::size_t) const override {
    return {.kind = kernels::CoordinateRule::Kind::kSign, .step = step_};
  }

  double step_;
};

CAIRN_REGISTER_RULE("sign", Sign);

}  // namespace
}  // namespace cairn
