// Columns to try rules and guards on, the same for the same seed on every machine. For tests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "aggregators/robust_facts.h"
#include "aggregators/robust_testing.h"

namespace cairn::robust_conformance {

// Not the standard library's distributions, whose values differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : random_(seed) {}
  double Uniform(double least, double most);
  double Gaussian();
  std::size_t Below(std::size_t bound);
  Vector Direction(std::size_t dimension);  // Gaussian in every coordinate.

 private:
  std::mt19937_64 random_;
};

enum class Kind {
  kGaussian,
  kOutliers,        // A cluster of n - f, and f that are 10 to 1000 times as far away.
  kNearDuplicates,  // A cluster whose spread is 3e-3 to 0.1 of its distance from 0, and one as narrow at another place.
  kNorms,           // From 1e-3 to 1e3.
  kFloats,          // Rounded to float32.
};
inline constexpr Kind kKinds[] = {Kind::kGaussian, Kind::kOutliers, Kind::kNearDuplicates, Kind::kNorms, Kind::kFloats};

Columns RandomColumns(Kind kind, std::size_t count, std::size_t dimension, std::size_t faulty, Random& random);

// With all that a rule may ask for.
Columned RandomInput(Kind kind, std::size_t count, std::size_t dimension, std::size_t faulty, Random& random);

// 1 to 12 columns of 3 to 40 numbers, as many as the bound needs or more, and f.
Columned RandomInput(Bound bound, Random& random);

// The same columns rounded to float32.
Columned Rounded(Columned input);

// Orthonormal, of R^dimension.
Columns RandomRotation(std::size_t dimension, Random& random);
Columns Rotated(const Columns& x, const Columns& rotation);

// Applies `change` to every column and to what else is a vector.
template <typename Change>
Columned Changed(Columned input, const Change& change) {
  for (Vector& column : input.updates) column = change(column);
  for (Vector& column : input.histories) column = change(column);
  input.named = change(input.named);
  if (input.last) input.last = change(*input.last);
  return input;
}

}  // namespace cairn::robust_conformance
