// Weighted k-means of vectors that mean the same with either sign, as a rank unit (b, a) and (-b, -a) do.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {

struct Clustering {
  std::int64_t clusters = 0;         // At least 1; fewer than asked for when there are fewer different vectors.
  std::vector<std::int64_t> of;      // Of every vector, its cluster. Every cluster has a vector.
  std::vector<double> coefficients;  // Of every vector, in its cluster's centre: + or - weight / the cluster's weight.
};

// Works on the vectors' inner products, `gram` [n, n], row-major and symmetric, so a step costs n^2 whatever their
// length. The first centre is the vector of largest weight * squared norm, each next one the vector of largest weight *
// squared distance to the centres before; then Lloyd's steps until no vector moves, at most 100 of them. Ties go to the
// lowest index; a cluster that loses its last vector gets the one farthest from its centre. So the result does not
// depend on chance, and on the order of the vectors only where they tie.
// Distances below 1e-6 of the largest norm count as none, and squared distances that differ by less than that squared
// as equal. REQUIRES: finite values, weights above 0, n >= 1, k >= 1.
Clustering KMeans(absl::Span<const double> gram, absl::Span<const double> weights, std::int64_t k);

}  // namespace cairn::kernels
