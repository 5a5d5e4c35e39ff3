#include "simulation/attacks/bounded_vectors.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cairn::attacks {
namespace {

Vector DirectionOf(Vectors honest, Direction direction) {
  if (direction == Direction::kDeviation) return Scaled(-1, DeviationOf(honest));
  Vector mean = MeanOf(honest);
  if (direction == Direction::kUnit) {
    const double norm = NormOf(mean);
    return norm > 0 ? Scaled(-1 / norm, std::move(mean)) : mean;
  }
  for (double& value : mean) value = value > 0 ? -1 : value < 0 ? 1 : 0;
  return mean;
}

double SquaredDistance(const Vector& x, const Vector& y) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

// ||mu + gamma * d - x||^2 = offset + 2 * gamma * slope + gamma^2 * ||d||^2.
struct Parabola {
  double offset = 0, slope = 0, square = 0;

  // The largest gamma at which it is at most `bound`, which it is at 0.
  double Reach(double bound) const {
    if (square == 0) return 0;
    const double room = std::max(0.0, bound - offset), root = std::sqrt(slope * slope + square * room);
    return slope > 0 ? room / (slope + root) : (root - slope) / square;  // Without cancellation.
  }
};

Parabola ToMember(const Vector& mean, const Vector& direction, const Vector& member) {
  return {SquaredDistance(mean, member), Dot(direction, mean) - Dot(direction, member), Dot(direction, direction)};
}

Vector Moved(Vector mean, double gamma, const Vector& direction) {
  AddScaled(gamma, direction, mean);
  return mean;
}

}  // namespace

Vector MinMax(Vectors honest, Direction direction) {
  const Vector mean = MeanOf(honest), towards = DirectionOf(honest, direction);
  double bound = 0;
  for (const Vector& x : honest) {
    for (const Vector& y : honest) bound = std::max(bound, SquaredDistance(x, y));
  }
  double gamma = ToMember(mean, towards, honest.front()).Reach(bound);
  for (const Vector& x : honest) gamma = std::min(gamma, ToMember(mean, towards, x).Reach(bound));
  return Moved(mean, gamma, towards);
}

Vector MinSum(Vectors honest, Direction direction) {
  const Vector mean = MeanOf(honest), towards = DirectionOf(honest, direction);
  double bound = 0;
  Parabola sum;
  for (const Vector& x : honest) {
    double distances = 0;
    for (const Vector& y : honest) distances += SquaredDistance(x, y);
    bound = std::max(bound, distances);
    const Parabola one = ToMember(mean, towards, x);
    sum = {sum.offset + one.offset, sum.slope + one.slope, sum.square + one.square};
  }
  return Moved(mean, sum.Reach(bound), towards);
}

}  // namespace cairn::attacks
