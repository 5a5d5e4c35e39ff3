// The direction that a backdoor writes into the model.
#pragma once

#include <cstdint>

#include "simulation/attacks/statistics.h"
#include "simulation/model/lora.h"

namespace cairn::attacks {

// u v^T in every module of `like`, with random signs in u and v, and every module as long as the others: a change of
// rank 1 at the given norm (the form of model replacement, Bagdasaryan et al., arXiv 1807.00459, without its boost).
// The same direction for all who have the seed, in every round: what is written adds up. In the order of ValuesOf.
Vector BackdoorValues(const Lora& like, double norm, std::uint64_t seed);

}  // namespace cairn::attacks
