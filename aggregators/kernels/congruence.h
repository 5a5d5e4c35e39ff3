// Gram matrices of mixed columns, from those of the columns: nothing but small matrices.
#pragma once

#include <cstddef>

#include "absl/types/span.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

// M^T K M: the inner products of the columns X M, when K has those of X. K symmetric [n, n], M [n, m].
SmallMatrix Congruent(const SmallMatrix& gram, const SmallMatrix& mixing);

// <x_i - g, x_j - g> for the first `moved` columns, <x_i - g, z> for the others, when column `origin` is g. The result
// lacks that column.
SmallMatrix MeasuredFrom(const SmallMatrix& gram, std::size_t origin, std::size_t moved);

// Rows and columns `kept`, in that order.
SmallMatrix Selected(const SmallMatrix& gram, absl::Span<const std::size_t> kept);

}  // namespace cairn::kernels
