// Factors as the kernels read them.
#pragma once

#include <vector>

#include "aggregators/factor.h"
#include "aggregators/kernels/factor_gram.h"
#include "aggregators/kernels/streamed_product.h"

namespace cairn {

// A [rank, d_in] and B [d_out, rank], which live as long as the result.
kernels::StreamedFactors Streamed(FactorPtr a, FactorPtr b);

// The units of all parts, one part after the other: A_i [rank_i, d_in] and B_i [d_out, rank_i]. Read on `threads`
// threads. RESOURCE_EXHAUSTED: no memory.
kernels::UnitFactors StreamedUnits(std::vector<FactorPtr> a, std::vector<FactorPtr> b, int threads);

}  // namespace cairn
