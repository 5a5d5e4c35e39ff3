// A factor as it stands in a file.
#pragma once

#include "adapter/dtype.h"
#include "aggregators/factor.h"

namespace cairn {

// The values of `factor` rounded to `dtype`, one of the floating-point types: what is read back of what is written.
FactorPtr Rounded(FactorPtr factor, DType dtype);

}  // namespace cairn
