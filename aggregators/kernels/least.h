// Which values are least: what rules mean by the nearest columns, or those of lowest score.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {

// The indices of the `count` least values, in ascending order of index; among equal values the lowest indices.
// REQUIRES: no NaN, count <= values.size().
std::vector<std::size_t> IndicesOfLeast(absl::Span<const double> values, std::size_t count);

}  // namespace cairn::kernels
