// The roles of one node's workers.
#pragma once

#include "server/tree/planner/plan.h"

namespace cairn::planner {

// How many leaves `node.load` asks for, and how many there are cores for. Sets both counts of `plan`, whose clients and
// load are known.
void CountLeaves(const Node& node, const Policy& policy, NodePlan& plan);

// Fills `plan.workers` and `plan.stop` for plan.leaves leaves. A root is also its node's top; one leaf needs no top.
// Warm workers come first: those in the role, then draining leaves, then idle ones and those without keys whose role
// ends. Of what is left over, workers with keys drain, Policy::spare_workers stay idle, the others stop.
void AssignRoles(const Node& node, bool is_root, const Policy& policy, NodePlan& plan);

}  // namespace cairn::planner
