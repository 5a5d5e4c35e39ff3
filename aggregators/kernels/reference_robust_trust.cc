#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "aggregators/kernels/reference_robust.h"

namespace cairn::kernels::reference {
namespace {

constexpr double kRounding = 1e-12;

// 1 for those that only rounding keeps from pointing the same way: FoolsGold compares what is missing to 1.
double Cosine(const Vector& x, const Vector& y) {
  const double norms = Norm(x) * Norm(y), cosine = norms > 0 ? Dot(x, y) / norms : 0;
  return cosine > 1 - kRounding ? 1 : cosine;
}

// Of all cosines of a column with others the largest.
Vector LargestOthers(const std::vector<Vector>& cosines) {
  Vector largest(cosines.size(), -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < cosines.size(); ++i) {
    for (std::size_t j = 0; j < cosines.size(); ++j) {
      if (j != i) largest[i] = std::max(largest[i], cosines[i][j]);
    }
  }
  return largest;
}

// FoolsGold's last lines: the share of the largest, stretched about 1/2 and cut to [0, 1].
double Stretched(double share) {
  if (share == 1) share = 0.99;
  return std::clamp(std::log(share / (1 - share)) + 0.5, 0.0, 1.0);
}

}  // namespace

Vector FlTrust(const Columns& x, const Vector& root) {
  Vector sum(root.size());
  double trust = 0;
  for (const Vector& column : x) {
    const double score = std::max(0.0, Cosine(column, root));
    trust += score;
    if (score > 0) AddScaled(column, score * Norm(root) / Norm(column), sum);
  }
  return trust > 0 ? Scaled(sum, 1 / trust) : sum;
}

Vector FoolsGold(const Columns& x, const Columns& histories) {
  const std::size_t n = x.size();
  if (n == 1) return x[0];
  Columns sums = histories;
  for (std::size_t i = 0; i < n; ++i) AddScaled(x[i], 1, sums[i]);
  std::vector<Vector> cosines(n, Vector(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) cosines[i][j] = Cosine(sums[i], sums[j]);
  }
  // Pardoning: honest columns that happen to be near a Sybil.
  const Vector v = LargestOthers(cosines);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (j != i && v[j] > v[i] && v[j] != 0) cosines[i][j] *= v[i] / v[j];
    }
  }
  Vector weights;
  for (const double largest : LargestOthers(cosines)) weights.push_back(std::clamp(1 - largest, 0.0, 1.0));
  const double most = *std::max_element(weights.begin(), weights.end());
  for (double& weight : weights) weight = Stretched(most > 0 ? weight / most : weight);
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  return Combination(x, total > 0 ? Scaled(weights, 1 / total) : weights);
}

}  // namespace cairn::kernels::reference
