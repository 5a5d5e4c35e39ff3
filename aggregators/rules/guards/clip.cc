// No update is longer than c: x_i min(1, c / ||x_i||).
#include "aggregators/clipping.h"
#include "aggregators/guard.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kNormMin = 1e-30, kNormMax = 1e30;

class Clip final : public Guard {
 public:
  explicit Clip(double norm) : norm_(norm) {}
  static absl::StatusOr<std::unique_ptr<Guard>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const double norm, options.TakeNumber("c", 2, kNormMin, kNormMax));
    return std::make_unique<Clip>(norm);
  }
  absl::string_view name() const override { return "clip"; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  absl::StatusOr<kernels::SmallMatrix> Mix(const GuardInput& input) const override {
    return ClippedTo(norm_, NormsOf(input.gram));
  }

 private:
  double norm_;
};

CAIRN_REGISTER_GUARD("clip", Clip);

}  // namespace
}  // namespace cairn
