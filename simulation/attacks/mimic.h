// Which honest client mimics copy.
#pragma once

#include <cstddef>

#include "simulation/attacks/statistics.h"

namespace cairn::attacks {

// The one that reaches furthest along the direction in which honest updates vary most (Karimireddy et al., arXiv
// 2006.09365, who follow that direction over the rounds; here it is this round's): copies of it tilt the mean the most.
// The first of those that reach equally far, as when all are equal.
std::size_t MimicVictim(Vectors honest);

}  // namespace cairn::attacks
