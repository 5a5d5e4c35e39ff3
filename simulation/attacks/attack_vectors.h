// Forged updates as plain vectors: from what honest clients send to what an attacker sends. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simulation/attacks/statistics.h"

namespace cairn::attacks {

// Which z "A Little Is Enough" takes (Baruch et al., arXiv 1902.06156, Algorithm 3): the quantile of
// (p - f - s) / (p - f), s = floor(p / 2 + 1) - f, for p clients of which f attack. s honest clients are then expected
// to be further from the mean than the forged update. The probability is kept half a client away from 0 and 1.
// REQUIRES attackers < clients.
double AlieQuantile(std::size_t clients, std::size_t attackers);
// mu - z sigma, coordinate by coordinate.
Vector Alie(Vectors honest, double z);

// -c mu: inner product manipulation (Xie et al., arXiv 1903.03936), which the same authors call "fall of empires"; with
// a large c, sign flipping.
Vector Reversed(Vectors honest, double c);

// Independent noise of the given length.
Vector GaussianNoise(std::size_t size, double norm, std::uint64_t seed);
Vector UniformNoise(std::size_t size, double norm, std::uint64_t seed);

// -mu at the median norm of honest updates, with every honest update weighed by 1 + noise * g, g standard normal: the
// near-duplicates that one party sends under many names (sybils; Fung et al., arXiv 1808.04866). Stays within the span
// of honest updates, so that its rank does not grow.
Vector SybilDuplicate(Vectors honest, double noise, std::uint64_t seed);

// ByzMean (Xu et al., arXiv 2109.05872): what the other attackers send so that the mean of all clients is `wanted`,
// when `same` of them send that. REQUIRES same < attackers < clients.
Vector CompletesMean(Vectors honest, const Vector& wanted, std::size_t clients, std::size_t attackers,
                     std::size_t same);

}  // namespace cairn::attacks
