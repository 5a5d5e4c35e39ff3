// Factors as the kernels read them.
#pragma once

#include "aggregators/factor.h"
#include "aggregators/kernels/streamed_product.h"

namespace cairn {

// A [rank, d_in] and B [d_out, rank], which live as long as the result.
kernels::StreamedFactors Streamed(FactorPtr a, FactorPtr b);

}  // namespace cairn
