// The best approximation of lower rank of a product B * A in Frobenius norm (Eckart and Young, 1936), from the factors:
// the product, d_out x d_in, is never formed.
//
// Exact: QR of both factors and the singular value decomposition of the small core, in float64. Where the rank asked
// for is far below that of the input: a randomised range finder (Halko, Martinsson, Tropp, arXiv 0909.4061; oversample
// 16, two power iterations), whose large products are in the precision of the input and whose small parts are in
// float64. Its error is within 1.01 of the best one on spectra that decay, and is measured, not estimated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregators/kernels/factor_pair.h"

namespace cairn::kernels {

struct Cut {
  std::int64_t rank = 0;  // Above 0: exactly this rank, or the highest possible one, min(R, d_in, d_out).
  double energy = 1;      // With rank 0: the least rank that keeps this part of the squared norm, in (0, 1].

  static Cut Rank(std::int64_t rank) { return {.rank = rank}; }
  static Cut Energy(double energy) { return {.energy = energy}; }
  // Drops only singular values below 1e-7 of the first, which float32 factors do not show. As energy 1.
  static Cut Lossless() { return {}; }
};

struct LowRank {
  std::int64_t rank = 0;  // At least 1: a product of zeros gives one unit of zeros.
  // Row-major, a [rank, d_in] and b [d_out, rank]; both have the roots of the singular values. Units in descending
  // order of singular values; of every column of b the first entry of largest magnitude is positive.
  std::vector<double> a, b;
  std::vector<double> singular_values;  // [rank], descending.
  double error_squared = 0;             // ||b a - B A||^2
  double norm_squared = 0;              // ||B A||^2
};

// INVALID_ARGUMENT unless `device` is "cpu", or "cuda:N" and there is such a device that the library can use.
absl::Status CheckDevice(const std::string& device);

// On `device`, "cpu" or "cuda:N"; the same device, library and number of threads give the same bits. Units may be of
// any size: (c b_j, a_j / c) gives the same result. Memory: three copies of the factors in the precision of the input;
// those of float64 for exact ones.
// INVALID_ARGUMENT: sizes that do not fit together, a rank below 1, an energy outside (0, 1], a value that is not
// finite, no such device. INTERNAL: the library's error, such as a decomposition that does not converge.
absl::StatusOr<LowRank> Recompress(const FactorPair<float>& input, const Cut& cut, const std::string& device = "cpu");
absl::StatusOr<LowRank> Recompress(const FactorPair<double>& input, const Cut& cut, const std::string& device = "cpu");

}  // namespace cairn::kernels
