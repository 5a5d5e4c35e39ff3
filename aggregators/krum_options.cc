#include "aggregators/krum_options.h"

#include <string>

#include "base/status_macros.h"

namespace cairn {

using kernels::KrumConvention;

absl::StatusOr<KrumOptions> KrumOptions::Take(RuleOptions& options) {
  KrumOptions taken;
  CAIRN_ASSIGN_OR_RETURN(taken.faulty, Faulty::Take(options));
  CAIRN_ASSIGN_OR_RETURN(const std::string convention, options.TakeChoice("convention", {"blanchard", "byzfl"}));
  if (convention == "byzfl") taken.convention = KrumConvention::kByzfl;
  return taken;
}

absl::Status KrumOptions::CheckClients(absl::string_view who, std::size_t columns, std::size_t faulty) const {
  if (convention == KrumConvention::kByzfl) return CheckBound(who, columns, faulty, 2 * faulty + 1, "n >= 2f + 1");
  return CheckBound(who, columns, faulty, 2 * faulty + 3, "n >= 2f + 3");
}

}  // namespace cairn
