// The size of what a LoRA module adds to its weight, and of a tensor.
#pragma once

#include "adapter/lora.h"

namespace cairn {

// ||B * A||_F, or ||B * core * A||_F, without the product, which would be as large as the weight: the sum over pairs of
// rank units i, j of (B^T B)_ij (A A^T)_ij, in double. Time rank^2 (d_in + d_out); memory that of the factors in
// double. NaN when a value is.
double FrobeniusNormOfProduct(const LoraModule& module);

// The root of the sum of squares of a floating-point tensor.
double NormOf(const TensorView& tensor);

}  // namespace cairn
