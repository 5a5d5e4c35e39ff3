// What a coordinate-wise rule makes of one module or tensor, computed as it is read.
#pragma once

#include <cstdint>
#include <vector>

#include "aggregators/coordinate_columns.h"
#include "aggregators/coordinate_result.h"
#include "aggregators/factor.h"
#include "aggregators/outcome_tally.h"

namespace cairn::internal {

struct CoordinateColumns {
  std::vector<DenseColumnPtr> clients;  // In order of CoordinatePlan::clients; null: zero.
  DenseColumnPtr reference;             // Null: zero.
};

// [rows, columns]; a tensor is [elements, 1]. `tally` must outlive it. Values that could not be computed are NaN.
FactorPtr CoordinateRows(std::int64_t rows, std::int64_t columns, CoordinatePlan plan, CoordinateColumns of,
                         OutcomeTally& tally);

}  // namespace cairn::internal
