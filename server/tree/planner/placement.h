// Clients onto nodes: who is somewhere stays, who is nowhere goes to the best fit, and then as few as possible move.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "server/tree/planner/fleet.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {

struct Seat {
  double load = 0;    // Bytes/s.
  int zone = kNone;   // Of the client; kNone: no living node is there.
  bool held = false;  // Stays on `node`.
  int from = kNone;   // The living node that it was on.
  int node = kNone;
  Why why = Why::kStays;
};

// One seat for each client, in order. `nodes` and `clients` ascending by id, some node alive.
std::vector<Seat> Place(absl::Span<const Node* const> nodes, absl::Span<const Client* const> clients,
                        const Policy& policy);

// Moves clients off nodes that are overloaded, and into their own zone where it has room, until no move is worth it.
void Settle(Fleet& fleet, std::vector<Seat>& seats, const Policy& policy);

}  // namespace cairn::planner
