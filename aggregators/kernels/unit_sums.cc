#include "aggregators/kernels/unit_sums.h"

#include <algorithm>
#include <cmath>

#include "aggregators/kernels/dense_gram.h"

namespace cairn::kernels {
namespace {

// <u_k, u_l> of `units` vectors of length `count`: element i of unit k lies at k * unit_stride + i * stride.
SmallMatrix GramOfUnits(absl::Span<const double> values, std::size_t units, std::size_t count, std::size_t unit_stride,
                        std::size_t stride) {
  DenseGram gram(units, DenseGram::Values::kDouble);
  for (std::size_t first = 0; first < count; first += DenseGram::kBlock) {
    const std::size_t here = std::min(DenseGram::kBlock, count - first);
    for (std::size_t k = 0; k < units; ++k) {
      const double* from = values.data() + k * unit_stride + first * stride;
      for (double& to : gram.column(k).first(here)) to = *from, from += stride;
    }
    gram.Add(here);
  }
  return gram.Sums();
}

}  // namespace

UnitSums UnitSumsOf(const FactorPair<double>& factors) {
  const auto rank = static_cast<std::size_t>(factors.rank), d_in = static_cast<std::size_t>(factors.d_in);
  const SmallMatrix a = GramOfUnits(factors.a, rank, d_in, d_in, 1);
  const SmallMatrix b = GramOfUnits(factors.b, rank, static_cast<std::size_t>(factors.d_out), 1, rank);
  UnitSums sums;
  double norms = 0;
  for (std::size_t k = 0; k < rank; ++k) {
    norms += std::sqrt(a.at(k, k)) * std::sqrt(b.at(k, k));
    for (std::size_t l = 0; l < rank; ++l) sums.squared_norm += a.at(k, l) * b.at(k, l);
  }
  sums.magnitude = norms * norms;
  return sums;
}

}  // namespace cairn::kernels
