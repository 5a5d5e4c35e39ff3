#include "aggregators/coordinate_wise.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace cairn {

absl::Status CoordinateWise::CheckClients(std::size_t columns, std::size_t faulty) const {
  return CheckBound(absl::StrCat("rule ", name()), columns, faulty, 1, "n >= 1");
}

absl::StatusOr<RuleOutput> CoordinateWise::Weigh(const RuleInput& input) const {
  RuleOutput output;
  output.weights.assign(input.columns, 1.0 / static_cast<double>(input.columns));
  output.coordinates = Kernel(input.columns, input.faulty);
  return output;
}

absl::Status TrimmingCoordinateWise::CheckClients(std::size_t columns, std::size_t faulty) const {
  return CheckBound(absl::StrCat("rule ", name()), columns, faulty, 2 * faulty + 1, "n >= 2f + 1");
}

}  // namespace cairn
