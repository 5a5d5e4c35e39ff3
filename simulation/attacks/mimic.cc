#include "simulation/attacks/mimic.h"

#include <cmath>
#include <utility>

namespace cairn::attacks {
namespace {

constexpr int kIterations = 200;  // Which client is largest is all that matters: no need for the last digits.

// The inner products of the updates around their mean, by rows.
std::vector<Vector> CentredGram(Vectors honest) {
  const Vector mean = MeanOf(honest);
  std::vector<Vector> centred(honest.begin(), honest.end()), gram;
  for (Vector& update : centred) AddScaled(-1, mean, update);
  for (const Vector& x : centred) {
    Vector& row = gram.emplace_back();
    for (const Vector& y : centred) row.push_back(Dot(x, y));
  }
  return gram;
}

// Equal but for rounding: the first.
std::size_t LargestOf(const Vector& values) {
  std::size_t largest = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (std::abs(values[i]) > std::abs(values[largest]) * (1 + 1e-9)) largest = i;
  }
  return largest;
}

}  // namespace

// The client's coordinates along the direction are the top eigenvector of the centred Gram matrix, by power iteration
// from the column of the client that is furthest from the mean.
std::size_t MimicVictim(Vectors honest) {
  const std::vector<Vector> gram = CentredGram(honest);
  Vector squares;
  for (std::size_t i = 0; i < gram.size(); ++i) squares.push_back(gram[i][i]);
  Vector reach = gram[LargestOf(squares)];
  for (int k = 0; k < kIterations; ++k) {
    Vector next;
    for (const Vector& row : gram) next.push_back(Dot(row, reach));
    const double norm = NormOf(next);
    if (norm == 0) return 0;
    reach = Scaled(1 / norm, std::move(next));
  }
  return LargestOf(reach);
}

}  // namespace cairn::attacks
