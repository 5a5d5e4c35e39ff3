#include "aggregators/robust_cases.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace cairn::robust_conformance {
namespace {

using reference::AddScaled;
using reference::Dot;
using reference::Scaled;
using reference::Unit;

constexpr std::size_t kColumnsMax = 12;
constexpr std::size_t kDimensionMin = 3, kDimensionMax = 40;

Vector Near(const Vector& centre, double spread, Random& random) {
  Vector column = centre;
  AddScaled(random.Direction(centre.size()), spread, column);
  return column;
}

Vector RoundedToFloat(Vector x) {
  for (double& value : x) value = static_cast<float>(value);
  return x;
}

// The column at index i of a cohort around `centre`.
Vector RandomColumn(Kind kind, std::size_t i, std::size_t faulty, double spread,
                    const std::pair<Vector, Vector>& centres, Random& random) {
  const std::size_t dimension = centres.first.size();
  switch (kind) {
    case Kind::kGaussian:
      return random.Direction(dimension);
    case Kind::kOutliers:
      return i < faulty ? Near(centres.first, std::pow(10, random.Uniform(1, 3)), random)
                        : Near(centres.first, 0.3, random);
    case Kind::kNearDuplicates:
      return Near(random.Below(3) == 0 ? centres.second : centres.first, spread, random);
    case Kind::kNorms:
      return Scaled(random.Direction(dimension), std::pow(10, random.Uniform(-3, 3)));
    case Kind::kFloats:
      return RoundedToFloat(Near(centres.first, 0.5, random));
  }
  return {};
}

}  // namespace

double Random::Uniform(double least, double most) {
  return least + (most - least) * static_cast<double>(random_() >> 11) * 0x1p-53;
}

double Random::Gaussian() {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(0, 1)));
  return radius * std::cos(2 * std::numbers::pi * Uniform(0, 1));
}

std::size_t Random::Below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

Vector Random::Direction(std::size_t dimension) {
  Vector direction(dimension);
  for (double& value : direction) value = Gaussian();
  return direction;
}

// The outliers stand at random places.
Columns RandomColumns(Kind kind, std::size_t count, std::size_t dimension, std::size_t faulty, Random& random) {
  const std::pair centres(random.Direction(dimension), random.Direction(dimension));
  const double spread = std::pow(10, random.Uniform(-2.5, -1));
  Columns columns;
  for (std::size_t i = 0; i < count; ++i) {
    columns.push_back(RandomColumn(kind, i, faulty, spread, centres, random));
  }
  for (std::size_t i = count; i > 1; --i) std::swap(columns[i - 1], columns[random.Below(i)]);
  return columns;
}

Columned RandomInput(Kind kind, std::size_t count, std::size_t dimension, std::size_t faulty, Random& random) {
  Columned input{.updates = RandomColumns(kind, count, dimension, faulty, random), .faulty = faulty};
  input.histories = RandomColumns(kind, count, dimension, faulty, random);
  if (random.Below(4) == 0) input.histories.assign(count, Vector(dimension));
  input.named = random.Below(2) == 0 ? input.updates[random.Below(count)] : Near(input.updates[0], 0.3, random);
  if (random.Below(3) > 0) input.last = Near(input.updates[0], 0.3, random);
  for (std::size_t i = 0; i < count; ++i) input.examples.push_back(1 + static_cast<double>(random.Below(1000)));
  input.round = random.Below(1000);
  return input;
}

Columned RandomInput(Bound bound, Random& random) {
  const std::size_t least = bound.least(0), count = least + random.Below(kColumnsMax - least + 1);
  const std::size_t faulty_max = bound.times == 0 ? count / 3 : (count - least) / bound.times;
  const std::size_t dimension = kDimensionMin + random.Below(kDimensionMax - kDimensionMin + 1);
  return RandomInput(kKinds[random.Below(std::size(kKinds))], count, dimension, random.Below(faulty_max + 1), random);
}

Columned Rounded(Columned input) { return Changed(std::move(input), RoundedToFloat); }

// Gaussian vectors, made orthogonal one after the other; twice, as once loses digits.
Columns RandomRotation(std::size_t dimension, Random& random) {
  Columns rotation;
  for (std::size_t i = 0; i < dimension; ++i) {
    Vector next = random.Direction(dimension);
    for (int pass = 0; pass < 2; ++pass) {
      for (const Vector& before : rotation) AddScaled(before, -Dot(before, next), next);
      next = Unit(next);
    }
    rotation.push_back(next);
  }
  return rotation;
}

Columns Rotated(const Columns& x, const Columns& rotation) {
  Columns rotated;
  for (const Vector& column : x) rotated.push_back(reference::Combination(rotation, column));
  return rotated;
}

}  // namespace cairn::robust_conformance
