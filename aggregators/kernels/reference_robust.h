// Slow, obvious twins of robust rules and guards, from columns x_1..x_n of R^d to the result y of R^d, as the papers
// have them: distances from differences, singular vectors of explicit matrices, coordinates sorted one by one.
// docs/robustness.md has the sources. f is the number of columns that may lie. Ties go to the lowest index. For tests
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "aggregators/kernels/reference_vectors.h"

namespace cairn::kernels::reference {

// How Krum scores a column: the sum over its n - f - 2 nearest, or the mean over its n - f - 1 nearest.
enum class KrumScore { kBlanchard, kByzfl };

// Selection (reference_robust_selection.cc).
Vector Krum(const Columns& x, std::size_t f, KrumScore score);
Vector MultiKrum(const Columns& x, std::size_t f, KrumScore score, std::optional<std::size_t> m);
Vector Bulyan(const Columns& x, std::size_t f, KrumScore score);
Vector Mda(const Columns& x, std::size_t f);
Vector Smea(const Columns& x, std::size_t f);
Vector Monna(const Columns& x, std::size_t f, const Vector& pivot);

// Iteration and filters (reference_robust_filters.cc).
Vector GeometricMedian(const Columns& x, double nu, int iterations);  // 0: until it stands still.
Vector CenteredClipping(const Columns& x, Vector last, double tau, int iterations);
Vector Caf(const Columns& x, std::size_t f);
Vector Dnc(const Columns& x, std::size_t f, double c);

// Trust (reference_robust_trust.cc).
Vector FlTrust(const Columns& x, const Vector& root);
Vector FoolsGold(const Columns& x, const Columns& histories);

// The Flag Aggregator (reference_robust_flag.cc), on all n + n(n - 1) augmented columns.
struct FlagOptions {
  std::optional<std::size_t> m;  // None: ceil((n + 1) / 2).
  std::optional<double> lambda;  // None: n in the paper's form, 0 in the public code's.
  int iterations = 5;
  double epsilon = 1e-7;
};
Vector FlagOfPaper(const Columns& x, const FlagOptions& options);
Vector FlagOfCode(const Columns& x, const FlagOptions& options);

// Coordinate by coordinate (reference_robust_coordinates.cc).
Vector Median(const Columns& x);
Vector TrimmedMean(const Columns& x, std::size_t f);
Vector Meamed(const Columns& x, std::size_t count);  // The mean of the `count` values nearest to the median.
Vector Phocas(const Columns& x, std::size_t f);
Vector SignVote(const Columns& x, double step);

// Guards (reference_robust_guards.cc): of each new column what it takes of every old one.
Columns NearestNeighbourMixture(const Columns& x, std::size_t f);
Columns BucketingMixture(const Columns& x, std::size_t size, std::uint64_t seed, std::uint64_t round);
Columns ClipMixture(const Columns& x, double c);
Columns ArcMixture(const Columns& x, std::size_t f);
Columns Mixed(const Columns& x, const Columns& mixture);

}  // namespace cairn::kernels::reference
