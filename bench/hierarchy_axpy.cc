#include "bench/hierarchy_axpy.h"

#include <cstddef>

namespace cairn::bench {

void Axpy(float factor, absl::Span<const float> in, absl::Span<float> sum) {
  const float* x = in.data();
  float* y = sum.data();
  const std::size_t count = in.size();
  for (std::size_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

}  // namespace cairn::bench
