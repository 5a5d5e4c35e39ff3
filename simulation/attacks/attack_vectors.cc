#include "simulation/attacks/attack_vectors.h"

#include <algorithm>
#include <utility>

#include "simulation/attacks/normal_quantile.h"
#include "simulation/model/random.h"

namespace cairn::attacks {
namespace {

double NormalNumber(Random& random) {
  return NormalQuantile(random.Uniform() + 0x1p-25);  // Halfway between two values of Uniform: never 0.
}

Vector WithNorm(Vector x, double norm) {
  const double length = NormOf(x);
  return length > 0 ? Scaled(norm / length, std::move(x)) : x;
}

}  // namespace

double AlieQuantile(std::size_t clients, std::size_t attackers) {
  const std::size_t majority = clients / 2 + 1;
  const double honest = static_cast<double>(clients - attackers);
  const double supporters = static_cast<double>(majority) - static_cast<double>(attackers);
  return NormalQuantile(std::clamp(honest - supporters, 0.5, honest - 0.5) / honest);
}

Vector Alie(Vectors honest, double z) {
  Vector out = MeanOf(honest);
  AddScaled(-z, DeviationOf(honest), out);
  return out;
}

Vector Reversed(Vectors honest, double c) { return Scaled(-c, MeanOf(honest)); }

Vector GaussianNoise(std::size_t size, double norm, std::uint64_t seed) {
  Random random(seed);
  Vector out(size);
  for (double& value : out) value = NormalNumber(random);
  return WithNorm(std::move(out), norm);
}

Vector UniformNoise(std::size_t size, double norm, std::uint64_t seed) {
  Random random(seed);
  Vector out(size);
  for (double& value : out) value = 2.0 * random.Uniform() - 1;
  return WithNorm(std::move(out), norm);
}

Vector SybilDuplicate(Vectors honest, double noise, std::uint64_t seed) {
  Random random(seed);
  Vector sum(honest.front().size());
  for (const Vector& update : honest) AddScaled(-(1 + noise * NormalNumber(random)), update, sum);
  const double length = NormOf(MeanOf(honest)) * static_cast<double>(honest.size());
  return length > 0 ? Scaled(MedianNormOf(honest) / length, std::move(sum)) : sum;
}

Vector CompletesMean(Vectors honest, const Vector& wanted, std::size_t clients, std::size_t attackers,
                     std::size_t same) {
  const double others = static_cast<double>(attackers - same);
  Vector out = Scaled(static_cast<double>(clients - same) / others, wanted);
  AddScaled(-static_cast<double>(clients - attackers) / others, MeanOf(honest), out);
  return out;
}

}  // namespace cairn::attacks
