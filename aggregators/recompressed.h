// Cuts combined modules to a lower rank by the singular value decomposition of their product, which is never formed:
// the best approximation of its rank (kernels/recompress.h).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "aggregators/combined.h"
#include "aggregators/kernels/recompress.h"
#include "aggregators/publish_form.h"

namespace cairn {

enum class Precision { kFloat, kDouble };

// `module` with factors in memory, balanced (both have the roots of the singular values) and in descending order of
// singular values; its deviation is that from `module`. Layers with groups have one rank for all groups: the cut's rank
// divided by their number, at least 1; for an energy the highest that any group needs.
// INVALID_ARGUMENT and INTERNAL as kernels::Recompress, with the module's name.
absl::StatusOr<CombinedModule> Recompress(const CombinedModule& module, const kernels::Cut& cut,
                                          const std::string& device, Precision precision = Precision::kFloat);

// The first units of a module that Recompress gave, for a client that trains with `recipient`'s rank and scale: a lower
// rank is again the best of its rank. B is divided by the scale, so that scale * B * A is the module.
CombinedModule RecipientOf(const CombinedModule& recompressed, const RecipientRank& recipient);
// alpha / rank of a recipient; 1 without alpha.
double ScaleOf(const RecipientRank& recipient);

}  // namespace cairn
