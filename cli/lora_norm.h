// The size of what a LoRA module adds to its weight.
#pragma once

#include "adapter/lora.h"

namespace cairn {

// ||B * A||_F without the product, which would be as large as the weight: the sum over pairs of rank units i, j of
// (B^T B)_ij (A A^T)_ij, in double. Time rank^2 (d_in + d_out); memory that of the factors. NaN when a value is.
double FrobeniusNormOfProduct(const LoraModule& module);

}  // namespace cairn
