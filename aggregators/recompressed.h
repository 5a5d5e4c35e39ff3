// Cuts combined modules to a lower rank by the singular value decomposition of their product, which is never formed:
// the best approximation of its rank (Eckart and Young, 1936).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "aggregators/combined.h"
#include "aggregators/publish_form.h"

namespace cairn {

// What to cut to: kRank or kEnergy. Layers with groups have one rank for all groups: `rank` / groups, at least 1; for
// an energy the highest that any group needs.
struct RankCut {
  std::int64_t rank = 0;  // Above 0: at most this.
  double energy = 0;      // Above 0: the least rank that keeps this part of the squared Frobenius norm.
};

// `module` with factors in memory, balanced (both have the roots of the singular values) and in descending order of
// singular values; its deviation is that from `module`. INVALID_ARGUMENT for a device that is not there; INTERNAL when
// the decomposition does not converge.
absl::StatusOr<CombinedModule> Recompress(const CombinedModule& module, const RankCut& cut, const std::string& device);

// The first units of a module that Recompress gave, for a client that trains with `recipient`'s rank and scale: a lower
// rank is again the best of its rank. B is divided by the scale, so that scale * B * A is the module.
CombinedModule RecipientOf(const CombinedModule& recompressed, const RecipientRank& recipient);
// alpha / rank of a recipient; 1 without alpha.
double ScaleOf(const RecipientRank& recipient);

}  // namespace cairn
