#include "server/tree/planner/fleet.h"

#include <algorithm>

namespace cairn::planner {
namespace {

// Sums of loads are rounded: what fits exactly must not miss by the last bit.
constexpr double kRounding = 1e-9;

double Needed(double load) { return load * (1 - kRounding); }

}  // namespace

double CapacityOf(const Node& node) { return node.capacity / (node.fold_seconds_per_byte * node.slowdown); }

void RoomIndex::Insert(double room, int node) {
  const std::pair entry(room, node);
  entries_.insert(std::lower_bound(entries_.begin(), entries_.end(), entry), entry);
}

void RoomIndex::Erase(double room, int node) {
  entries_.erase(std::lower_bound(entries_.begin(), entries_.end(), std::pair(room, node)));
}

int RoomIndex::LeastFrom(double room) const {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), std::pair(room, kNone));
  return it == entries_.end() ? kNone : it->second;
}

int RoomIndex::MostFrom(double room) const {
  if (entries_.empty() || entries_.back().first < room) return kNone;
  return LeastFrom(entries_.back().first);  // The first of those that are equal.
}

Fleet::Fleet(absl::Span<const Node* const> nodes, absl::Span<const Start> starts) : nodes_(nodes.size()) {
  for (int i = 0; i < size(); ++i) {
    nodes_[i] = {CapacityOf(*nodes[i]), starts[i].load, starts[i].clients, kNone, nodes[i]->alive};
    if (!nodes[i]->alive) continue;
    const auto [it, added] = zones_.try_emplace(nodes[i]->zone, static_cast<int>(rooms_.size()));
    if (added) rooms_.emplace_back();
    nodes_[i].zone = it->second;
    for (Rooms* rooms : {&rooms_[it->second], &all_}) rooms->Of(nodes_[i]).Insert(nodes_[i].room(), i);
  }
}

int Fleet::ZoneOf(absl::string_view zone) const {
  const auto it = zones_.find(std::string(zone));
  return it == zones_.end() ? kNone : it->second;
}

void Fleet::Change(int node, double load, int clients) {
  Slot changed = nodes_[node];
  changed.load += load;
  changed.clients += clients;
  if (changed.clients == 0) changed.load = 0;  // Without what rounding left.
  for (Rooms* rooms : {&rooms_[changed.zone], &all_}) {
    rooms->Of(nodes_[node]).Erase(nodes_[node].room(), node);
    rooms->Of(changed).Insert(changed.room(), node);
  }
  nodes_[node] = changed;
}

int Fleet::Rooms::BestFit(double load) const {
  const int node = used.LeastFrom(Needed(load));
  return node != kNone ? node : unused.MostFrom(Needed(load));
}

int Fleet::BestFit(double load, int zone) const { return zone == kNone ? kNone : rooms_[zone].BestFit(load); }

int Fleet::BestFitAnywhere(double load) const { return all_.BestFit(load); }

int Fleet::BestFitWithSpare(double load, int zone, double spare) const {
  if (zone == kNone) return kNone;
  for (const auto& [room, node] : rooms_[zone].used.entries()) {
    if (room >= Needed(load) + spare * capacity(node)) return node;
  }
  const int node = rooms_[zone].unused.MostFrom(Needed(load));
  return node != kNone && capacity(node) * (1 - spare) >= Needed(load) ? node : kNone;
}

int Fleet::LeastRelative(double load, int zone) const {
  int best = kNone;
  for (int i = 0; i < size(); ++i) {
    if (!alive(i)) continue;
    const double ahead = best == kNone ? 1 : Relative(best, load) - Relative(i, load);
    if (ahead > 0 || (ahead == 0 && nodes_[best].zone != zone && nodes_[i].zone == zone)) best = i;
  }
  return best;
}

}  // namespace cairn::planner
