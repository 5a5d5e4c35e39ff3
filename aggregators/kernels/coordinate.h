// Rules that look at one coordinate of all updates at a time. Values are finite.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {

struct CoordinateRule {
  enum class Kind {
    kMedian,       // Of an even number the midpoint of the middle two.
    kTrimmedMean,  // Without the `count` lowest and the `count` highest. 2 count < columns.
    kMeamed,       // The mean of the `count` values nearest to the median; at equal distance the lower one.
    kPhocas,       // The mean of the `count` values nearest to the mean without the `trim` lowest and highest.
    kSign,         // `step` times the sign of the sum of the values' signs; 0 when they are even.
  };
  Kind kind = Kind::kMedian;
  std::size_t count = 0;
  std::size_t trim = 0;
  double step = 1;
};

// out[w], for each of the out.size() coordinates, from columns[i][w]. Distances and sums are in float64, values are
// added in ascending order, and a zero is +0: the order of the columns changes no bit, nor does the processor.
// REQUIRES: there are columns; sums of one value of each do not overflow float64.
void ApplyCoordinates(const CoordinateRule& rule, absl::Span<const float* const> columns, absl::Span<float> out);
void ApplyCoordinates(const CoordinateRule& rule, absl::Span<const double* const> columns, absl::Span<double> out);

// Of `values` that lie one column after the other.
template <typename T>
std::vector<const T*> ColumnsOf(const std::vector<T>& values, std::size_t columns) {
  std::vector<const T*> out;
  for (std::size_t i = 0; i < columns; ++i) out.push_back(values.data() + i * (values.size() / columns));
  return out;
}

}  // namespace cairn::kernels
