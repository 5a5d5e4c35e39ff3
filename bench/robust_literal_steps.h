// What several literal rules do.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace cairn::bench {

// Of all pairs of rows, [columns, columns].
at::Tensor SquaredDistances(const at::Tensor& x);

// By row of squared distances, the sum of the n - f - 2 smallest to others (Blanchard et al.).
at::Tensor KrumScores(const at::Tensor& squared, std::int64_t faulty);

// The mean of the rows `which`.
at::Tensor MeanOf(const at::Tensor& x, const at::Tensor& which);

// Of every coordinate, the mean of the `count` values nearest to `center` [elements].
at::Tensor MeanNearest(const at::Tensor& x, const at::Tensor& center, std::int64_t count);

at::Tensor TrimmedMean(const at::Tensor& x, std::int64_t faulty);

// The guards.
at::Tensor NearestNeighbourMixing(const at::Tensor& x, std::int64_t faulty);
at::Tensor Clipped(const at::Tensor& x, double norm);
at::Tensor AdaptivelyClipped(const at::Tensor& x, std::int64_t faulty);
at::Tensor Bucketed(const at::Tensor& x, std::int64_t size);

// The Flag Aggregator's public code: columns normalised; with `lambda` also the differences of all ordered pairs; then
// 5 times the SVD of the weighted columns.
at::Tensor Flag(const at::Tensor& x, double lambda);

}  // namespace cairn::bench
