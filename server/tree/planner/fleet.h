// The nodes while clients are placed on them. Loads, capacities and rooms are in bytes/s here: Q = k * E and E is
// proportional to the bytes of an update, so "Q fits below MC" is the same question, and a client's share of the answer
// does not depend on the node.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {

inline constexpr int kNone = -1;  // No node, no zone.

// Nodes ascending by room.
class RoomIndex {
 public:
  void Insert(double room, int node);
  void Erase(double room, int node);
  // The node with the least room that is at least `room`; kNone.
  int LeastFrom(double room) const;
  // The node with the most room, if that is at least `room`; kNone.
  int MostFrom(double room) const;
  absl::Span<const std::pair<double, int>> entries() const { return entries_; }

 private:
  std::vector<std::pair<double, int>> entries_;  // Sorted: at a few hundred nodes faster than any tree.
};

// Nodes and zones go by index; dead nodes have an index and are never chosen.
class Fleet {
 public:
  // What is on a node from the start.
  struct Start {
    double load = 0;
    int clients = 0;
  };
  Fleet(absl::Span<const Node* const> nodes, absl::Span<const Start> starts);

  int ZoneOf(absl::string_view zone) const;  // kNone: no living node is there.
  int zone(int node) const { return nodes_[node].zone; }
  int size() const { return static_cast<int>(nodes_.size()); }
  double capacity(int node) const { return nodes_[node].capacity; }
  double load(int node) const { return nodes_[node].load; }
  // Of the capacity, with `more` on it.
  double Relative(int node, double more = 0) const { return (load(node) + more) / capacity(node); }
  bool alive(int node) const { return nodes_[node].alive; }

  void AddClient(int node, double load) { Change(node, load, 1); }
  void RemoveClient(int node, double load) { Change(node, -load, -1); }

  // Of the nodes in use that have room, the one with the least. If there is none, the largest that is not in use:
  // every node in use sends one more partial to the root. All give kNone when there is none.
  int BestFit(double load, int zone) const;
  int BestFitAnywhere(double load) const;
  // The same in `zone`, with `spare` of the node's capacity left free.
  int BestFitWithSpare(double load, int zone, double spare) const;
  // Where Relative is least with `load` on it; its own zone first among equals. Looks at every node.
  int LeastRelative(double load, int zone) const;

 private:
  struct Slot {
    double capacity = 0, load = 0;
    int clients = 0;
    int zone = kNone;
    bool alive = false;
    double room() const { return capacity - load; }
  };
  struct Rooms {
    RoomIndex used, unused;
    RoomIndex& Of(const Slot& slot) { return slot.clients > 0 ? used : unused; }
    int BestFit(double load) const;
  };
  void Change(int node, double load, int clients);

  std::vector<Slot> nodes_;
  std::unordered_map<std::string, int> zones_;
  std::vector<Rooms> rooms_;  // By zone.
  Rooms all_;
};

// Bytes/s that a node can take.
double CapacityOf(const Node& node);

}  // namespace cairn::planner
