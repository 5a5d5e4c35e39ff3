// Rules that look at one coordinate of all updates at a time. Values are finite.
#pragma once

#include <cassert>
#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "aggregators/kernels/sorting_network.h"

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

// Whether it is a mean of the values nearest to a centre.
inline bool TakesNearest(const CoordinateRule& rule) {
  return rule.kind == CoordinateRule::Kind::kMeamed || rule.kind == CoordinateRule::Kind::kPhocas;
}

// What a rule does to so many columns, whatever their values: made once for many blocks.
struct CoordinateSteps {
  CoordinateRule rule;
  std::size_t columns = 0;
  std::size_t middle = 0,
              middle_end = 0;       // The rows of the sorted order whose mean is the value, or the nearest's centre.
  std::vector<Comparator> network;  // Sorts what the rule needs, once every eight columns are sorted.
};
CoordinateSteps StepsOf(const CoordinateRule& rule, std::size_t columns);  // REQUIRES: columns > 0

// out[w], for each of the out.size() coordinates, from columns[i][w]. Distances and sums are in float64, values are
// added in ascending order, and a zero is +0: the order of the columns changes no bit, nor does the processor.
// REQUIRES: as many columns as the steps are for; sums of one value of each do not overflow float64.
void ApplyCoordinates(const CoordinateSteps& steps, absl::Span<const float* const> columns, absl::Span<float> out);
void ApplyCoordinates(const CoordinateSteps& steps, absl::Span<const double* const> columns, absl::Span<double> out);

// Where columns begin whose values lie one behind the other. REQUIRES: all are of one length.
template <typename T>
std::vector<const T*> StartsOf(const std::vector<T>& values, std::size_t columns) {
  assert(values.size() % columns == 0);
  std::vector<const T*> out;
  for (std::size_t i = 0; i < columns; ++i) out.push_back(values.data() + i * (values.size() / columns));
  return out;
}

}  // namespace cairn::kernels
