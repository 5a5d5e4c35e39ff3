// Rules that look at one coordinate of all updates at a time. Values are finite.
#pragma once

#include <cstddef>

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

// out[w], for each of the out.size() coordinates, from the values [columns, out.size()], row-major. Distances and sums
// are in float64, values are added in ascending order, and a zero is +0: the order of the columns changes no bit, nor
// does the processor. REQUIRES: columns > 0; sums of `columns` values do not overflow float64.
void ApplyCoordinates(const CoordinateRule& rule, std::size_t columns, absl::Span<const float> values,
                      absl::Span<float> out);
void ApplyCoordinates(const CoordinateRule& rule, std::size_t columns, absl::Span<const double> values,
                      absl::Span<double> out);

}  // namespace cairn::kernels
