#include "aggregators/kernels/least.h"

#include <algorithm>
#include <numeric>

namespace cairn::kernels {

std::vector<std::size_t> IndicesOfLeast(absl::Span<const double> values, std::size_t count) {
  std::vector<std::size_t> indices(values.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  const auto end = indices.begin() + static_cast<std::ptrdiff_t>(count);
  std::nth_element(indices.begin(), end, indices.end(), [values](std::size_t i, std::size_t j) {
    return values[i] != values[j] ? values[i] < values[j] : i < j;
  });
  indices.erase(end, indices.end());
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace cairn::kernels
