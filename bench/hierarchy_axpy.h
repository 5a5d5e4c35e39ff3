// The plainest sum: what a memory bus can do.
#pragma once

#include "absl/types/span.h"

namespace cairn::bench {

// sum[i] += factor * in[i]. Same sizes.
void Axpy(float factor, absl::Span<const float> in, absl::Span<float> sum);

}  // namespace cairn::bench
