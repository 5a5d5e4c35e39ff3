#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

#include "aggregators/kernels/reference_robust.h"

namespace cairn::kernels::reference {
namespace {

// Uniform among 0..bound - 1: numbers of the incomplete last run of `bound` are drawn again.
std::uint64_t Below(std::uint64_t bound, std::mt19937_64& random) {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t incomplete = (most % bound + 1) % bound;  // 2^64 mod bound.
  std::uint64_t number = random();
  while (number > most - incomplete) number = random();
  return number % bound;
}

// The mean of these of n columns, as a mixture.
Vector Share(const std::vector<std::size_t>& members, std::size_t n) {
  Vector share(n);
  for (const std::size_t i : members) share[i] = 1 / static_cast<double>(members.size());
  return share;
}

}  // namespace

Columns NearestNeighbourMixture(const Columns& x, std::size_t f) {
  Columns mixture;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Vector distances;
    for (const Vector& column : x) distances.push_back(SquaredDistance(x[i], column));
    distances[i] = -1;  // Nearer to itself than any copy.
    mixture.push_back(Share(Smallest(distances, x.size() - f), x.size()));
  }
  return mixture;
}

Columns BucketingMixture(const Columns& x, std::size_t size, std::uint64_t seed, std::uint64_t round) {
  std::mt19937_64 random(seed + 0x9E3779B97F4A7C15 * round);
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = x.size() - 1; i >= 1; --i) std::swap(order[i], order[Below(i + 1, random)]);
  Columns mixture;
  for (std::size_t first = 0; first < x.size(); first += size) {
    const auto begin = order.begin() + first, end = order.begin() + std::min(first + size, x.size());
    mixture.push_back(Share({begin, end}, x.size()));
  }
  return mixture;
}

Columns ClipMixture(const Columns& x, double c) {
  Columns mixture;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double norm = Norm(x[i]);
    mixture.push_back(Vector(x.size()));
    mixture[i][i] = norm > c ? c / norm : 1;
  }
  return mixture;
}

Columns ArcMixture(const Columns& x, std::size_t f) {
  const std::size_t n = x.size(), k = 2 * f * (n - f) / n;
  Vector norms;
  for (const Vector& column : x) norms.push_back(Norm(column));
  std::sort(norms.begin(), norms.end());
  return ClipMixture(x, norms[n - k - 1]);
}

Columns Mixed(const Columns& x, const Columns& mixture) {
  Columns mixed;
  for (const Vector& weights : mixture) mixed.push_back(Combination(x, weights));
  return mixed;
}

}  // namespace cairn::kernels::reference
