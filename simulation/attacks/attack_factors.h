// Attacks on the factors of an update rather than on what it does. Every function gives an update of one rank and alpha
// for all modules, as it takes one.
#pragma once

#include <cstdint>

#include "simulation/model/lora.h"

namespace cairn::attacks {

// c B, A / c: the same update in another gauge, which makes averages of factors his.
Lora Rescaled(const Lora& own, double c);

// B M, M^-1 A with singular values of M from 1 / sqrt(cond) to sqrt(cond) between random bases: the same update, whose
// inner products cannot be formed from float32 products of factors. Rounding the factors to float32 changes the update
// by up to cond * 6e-8 of itself. Of rank 1, where there is no other basis, it stays as it is.
Lora IllConditioned(const Lora& own, double cond, std::uint64_t seed);

// [B, ..., B] / sqrt(times), [A; ...; A] / sqrt(times): the same update at `times` the cost. The scale stays.
Lora RankInflated(const Lora& own, std::int64_t times);

// The same factors with c times the alpha, and so c times the update.
Lora FakeAlpha(const Lora& own, double c);

// A as it is, -c B: looks honest to whom looks at A alone.
Lora HalfPoisoned(const Lora& own, double c);

// One number in place of every value of B: NaN or infinity.
Lora Filled(const Lora& own, float value);

}  // namespace cairn::attacks
