// Products of small matrices. Sums are in the order of the index; the same bits on every processor. Rows with a factor
// of 0 are skipped, so that a sparse left matrix (a guard that only scales) costs what it holds: matrices must be
// finite, since 0 times NaN or infinity would be 0 here.
#pragma once

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

// left right. REQUIRES: left has as many columns as right has rows.
SmallMatrix Product(const SmallMatrix& left, const SmallMatrix& right);
// left^T right. REQUIRES: both have as many rows.
SmallMatrix TransposedProduct(const SmallMatrix& left, const SmallMatrix& right);

}  // namespace cairn::kernels
