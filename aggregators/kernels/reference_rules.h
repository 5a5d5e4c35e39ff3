// Slow, obvious twins of combine rules with more algebra to them: the combined dW, dense. For tests only.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "aggregators/kernels/reference.h"

namespace cairn::kernels::reference {

// LoRA-FAIR with lambda = 0.01, from the dense sum.
Matrix FairProduct(absl::Span<const Update> updates);

// Zero-padding with weights by the norm of each update; equal ones where all are zero.
Matrix HetLoraProduct(absl::Span<const Update> updates);

// LoRA-LEGO with as many clusters as the highest rank: k-means on the units themselves.
Matrix RankClusterProduct(absl::Span<const Update> updates);

}  // namespace cairn::kernels::reference
