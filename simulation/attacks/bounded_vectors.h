// Forged updates that stay as close to honest ones as these are to each other: min-max and min-sum (Shejwalkar and
// Houmansadr, "Manipulating the Byzantine", NDSS 2021). Pure functions.
#pragma once

#include "simulation/attacks/statistics.h"

namespace cairn::attacks {

// Where to push: against the mean, -mu / ||mu||; by the spread, -sigma; by signs, -sign(mu).
enum class Direction { kUnit, kDeviation, kSign };

// mu + gamma * direction with the largest gamma for which the largest distance to an honest update is at most the
// largest between two of them; of min-sum, for which the sum of squared distances to all honest updates is at most the
// largest that one of them has. Distances are quadratic in gamma, so that gamma is the root of an equation, not
// searched for. mu itself where the direction is zero.
Vector MinMax(Vectors honest, Direction direction);
Vector MinSum(Vectors honest, Direction direction);

}  // namespace cairn::attacks
