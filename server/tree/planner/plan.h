// Where clients send their updates, and how many workers of which role fold them there: pure functions of values. No
// threads, clocks, files or sockets; whoever runs the tree measures, calls MakePlan and carries out what it says.
// docs/planner.md has the formulas.
//
// Everything is in terms of load, Q = k * E: updates per second times the seconds from "its key is queued" to "folded".
// By Little's law that is the number of updates in the node at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn::planner {

enum class Role { kIdle, kLeaf, kTop, kRoot, kDraining };
absl::string_view NameOf(Role role);  // "idle", "leaf", "top", "root", "draining"

// A process that is up. All are alike: one without keys can take any role.
struct Worker {
  std::string id;  // Unique within its node.
  Role role = Role::kIdle;
  // Queued, or folded into a partial that nobody has acknowledged yet: what would be lost, or done twice.
  std::uint64_t keys = 0;
};

struct Node {
  std::string id;
  std::string zone;  // Within a zone, bytes are cheap.
  bool alive = true;
  // Measured offline: arrivals are raised until the time of one update grows; network and store are part of it.
  double capacity = 0;               // MC > 0: the Q at that point, in updates.
  double fold_seconds_per_byte = 0;  // > 0: E at that point, by bytes of the update.
  double slowdown = 1;               // >= 1: E as it is measured, over that; load.h learns it.
  std::uint32_t cores = 1;           // More leaves than cores fold no faster.
  std::vector<Worker> workers;
};

struct Client {
  std::string id;
  std::string zone;
  std::uint64_t bytes = 0;        // Of one update.
  double updates_per_second = 0;  // Expected; load.h learns it.
  std::string node;               // Where it is now; empty: nowhere.
  bool held = false;              // An update is on its way to that node or stored there: it stays where it landed.
};

struct Policy {
  double updates_per_leaf = 2;  // I. A leaf with two updates at once, by the M/M/1 queue, is busy for 2/3 of its time.
  double tolerance = 0.1;       // Differences of loads up to this share move nobody.
  // Warm and idle on each node, so that a Q near a multiple of I starts and stops none.
  std::uint32_t spare_workers = 1;
};

struct Input {
  Policy policy;
  std::vector<Node> nodes;
  std::vector<Client> clients;
  std::string root;        // The node that has the root now; empty: none.
  bool root_held = false;  // It has merged partials: it stays.
};

// Why a client is where it is.
enum class Why {
  kHeld,       // Its update is there.
  kStays,      // Was there, and the node is not overloaded, or no other is better.
  kOwnZone,    // Best fit: of the nodes in use with room for it, the one with the least; else the largest unused.
  kOtherZone,  // The same among all nodes.
  kNoRoom,     // Fits nowhere: where the load in parts of the capacity is least.
};

struct Placement {
  std::string client;
  std::string node;
  std::string from;  // Where it was; empty: nowhere.
  Why why = Why::kStays;
  bool moved() const { return node != from; }
};

struct Assignment {
  std::string worker;  // Empty: to be started.
  Role role = Role::kIdle;
};

struct NodePlan {
  std::string node;
  bool alive = true;
  std::size_t clients = 0;
  // Expected. Measure the same two and let load.h compare them.
  double updates_per_second = 0;  // k
  double bytes_per_second = 0;
  double load = 0;                  // Q
  double capacity = 0;              // MC
  std::uint32_t leaves_wanted = 0;  // ceil(Q / I); at least 1 where there are clients.
  std::uint32_t leaves = 0;         // At most `cores`.
  // Root, tops, leaves, idle, draining; within a role those that are warm first, by id. Workers on this list and those
  // to be stopped are all there are.
  std::vector<Assignment> workers;
  std::vector<std::string> stop;

  bool overloaded() const { return load > capacity * (1 + 1e-9); }  // Not by a rounding of the sum.
  std::size_t CountOf(Role role) const;
  std::size_t started() const;
};

struct Plan {
  std::vector<Placement> clients;  // Ascending by id.
  std::vector<NodePlan> nodes;     // Ascending by id.
  std::string root;                // Empty: no client.
  bool fits = true;                // No node is overloaded.

  const NodePlan* Find(absl::string_view node) const;
  std::size_t moved() const;  // Clients that were on some other node.
};

// The same input in any order gives the same plan. A plan that was carried out, planned again, changes nothing.
//   INVALID_ARGUMENT     an id that is empty or there twice; a number that is not finite or out of the range above
//   RESOURCE_EXHAUSTED   beyond limits::kCohortClientsMax clients or limits::kTreeNodesMax nodes
//   FAILED_PRECONDITION  clients, and no node alive
absl::StatusOr<Plan> MakePlan(const Input& input);

// For people, one line each:
//   node n3: Q = 5.2 of 8.0, 41 clients; 3 leaves (2 warm, 1 to start); top w4
//   client c7: n1 -> n3, best fit in its zone
//   root: n3, 41 % of 1.2 GB/s arrive there
std::string Explain(const NodePlan& node);
std::string Explain(const Placement& placement);
std::string ExplainRoot(const Plan& plan);

// The input after the plan was carried out: clients are where it says, workers are what it says. Started ones are named
// after their node; those that drain still do.
Input Applied(Input input, const Plan& plan);

}  // namespace cairn::planner
