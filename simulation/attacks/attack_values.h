// Which forged values each attack sends: from its name to the formulas of attack_vectors.h and beside it.
#pragma once

#include "simulation/attacks/attack.h"
#include "simulation/attacks/attack_spec.h"
#include "simulation/attacks/statistics.h"

namespace cairn::attacks {

// `honest` are the values of view.honest, in the order of ValuesOf(., *view.own), as is the result.
// REQUIRES spec.forges_values, and not stale_replay.
Vector ForgedValues(const AttackSpec& spec, const AttackerView& view, Vectors honest);

}  // namespace cairn::attacks
