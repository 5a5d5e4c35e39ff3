#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "aggregators/kernels/reference_robust.h"

namespace cairn::kernels::reference {
namespace {

using Indices = std::vector<std::size_t>;

constexpr double kRounding = 1e-12;  // Relative.

// How many neighbours of a column count when n are left.
std::size_t Neighbours(std::size_t n, std::size_t f, KrumScore score) {
  const std::size_t others = f + (score == KrumScore::kBlanchard ? 2 : 1);
  return n > others ? n - others : 0;
}

Vector KrumScores(const Columns& x, std::size_t neighbours, KrumScore score) {
  Vector scores;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Vector distances;
    for (std::size_t j = 0; j < x.size(); ++j) {
      if (j != i) distances.push_back(SquaredDistance(x[i], x[j]));
    }
    std::sort(distances.begin(), distances.end());
    const double sum = std::accumulate(distances.begin(), distances.begin() + neighbours, 0.0);
    const bool of_mean = score == KrumScore::kByzfl && neighbours > 0;
    scores.push_back(of_mean ? sum / static_cast<double>(neighbours) : sum);
  }
  return scores;
}

// Every subset of `size` of n, in lexicographic order.
void ForEachSubset(std::size_t n, std::size_t size, const std::function<void(const Indices&)>& see) {
  Indices subset(size);
  std::iota(subset.begin(), subset.end(), 0);
  while (true) {
    see(subset);
    std::size_t last = size;
    while (last > 0 && subset[last - 1] == n - size + last - 1) --last;
    if (last == 0) return;
    std::iota(subset.begin() + last - 1, subset.end(), subset[last - 1] + 1);
  }
}

// The mean of the subset of n - f columns of least cost, the first of those that only rounding keeps apart.
Vector MeanOfBestSubset(const Columns& x, std::size_t f, const std::function<double(const Indices&)>& cost) {
  double least = std::numeric_limits<double>::infinity();
  Indices best;
  ForEachSubset(x.size(), x.size() - f, [&](const Indices& subset) {
    const double of_subset = cost(subset);
    if (of_subset >= least * (1 - kRounding)) return;
    least = of_subset;
    best = subset;
  });
  return MeanOf(x, best);
}

}  // namespace

Vector Krum(const Columns& x, std::size_t f, KrumScore score) { return MultiKrum(x, f, score, 1); }

Vector MultiKrum(const Columns& x, std::size_t f, KrumScore score, std::optional<std::size_t> m) {
  const std::size_t n = x.size();
  const std::size_t otherwise = score == KrumScore::kBlanchard ? n - f - 2 : n - f;
  return MeanOf(x, Smallest(KrumScores(x, Neighbours(n, f, score), score), m.value_or(otherwise)));
}

Vector Bulyan(const Columns& x, std::size_t f, KrumScore score) {
  const std::size_t theta = x.size() - 2 * f;
  Columns left = x, picks;
  while (picks.size() < theta) {
    const std::size_t neighbours = std::max<std::size_t>(1, Neighbours(left.size(), f, score));
    const std::size_t winner = left.size() == 1 ? 0 : Smallest(KrumScores(left, neighbours, score), 1)[0];
    picks.push_back(left[winner]);
    left.erase(left.begin() + winner);
  }
  return Meamed(picks, theta - 2 * f);
}

Vector Mda(const Columns& x, std::size_t f) {
  return MeanOfBestSubset(x, f, [&](const Indices& subset) {
    double diameter = 0;
    for (const std::size_t i : subset) {
      for (const std::size_t j : subset) diameter = std::max(diameter, SquaredDistance(x[i], x[j]));
    }
    return diameter;
  });
}

Vector Smea(const Columns& x, std::size_t f) {
  return MeanOfBestSubset(x, f, [&](const Indices& subset) {
    const Vector mean = MeanOf(x, subset);
    Columns centred;
    for (const std::size_t i : subset) centred.push_back(Minus(x[i], mean));
    const double largest = LeftSingularOf(centred).values[0];
    return largest * largest / static_cast<double>(subset.size());
  });
}

Vector Monna(const Columns& x, std::size_t f, const Vector& pivot) {
  Vector distances;
  for (const Vector& column : x) distances.push_back(SquaredDistance(column, pivot));
  return MeanOf(x, Smallest(distances, x.size() - f));
}

}  // namespace cairn::kernels::reference
