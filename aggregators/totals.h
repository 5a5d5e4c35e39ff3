// Sums of weights that do not depend on their order where they are example counts.
#pragma once

#include "absl/types/span.h"

namespace cairn {

// The sum: of whole numbers from 0 to kExamplesMax in integers, rounded once; of others in float64, in order.
double TotalOf(absl::Span<const double> weights);

}  // namespace cairn
