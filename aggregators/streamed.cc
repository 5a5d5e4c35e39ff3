#include "aggregators/streamed.h"

#include <utility>

namespace cairn {
namespace {

kernels::StreamedFactors::ReadRows Reader(FactorPtr factor) {
  return [factor = std::move(factor)](std::int64_t first, absl::Span<double> rows) { factor->Read(first, rows); };
}

}  // namespace

kernels::StreamedFactors Streamed(FactorPtr a, FactorPtr b) {
  const std::int64_t d_out = b->rows(), rank = a->rows(), d_in = a->columns();
  return {d_out, rank, d_in, Reader(std::move(a)), Reader(std::move(b))};
}

}  // namespace cairn
