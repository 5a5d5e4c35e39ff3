// The size of a tensor.
#pragma once

#include "adapter/safetensors.h"

namespace cairn {

// The root of the sum of squares of a floating-point tensor. NaN when a value is.
double NormOf(const TensorView& tensor);

}  // namespace cairn
