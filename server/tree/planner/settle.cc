// Few moves: from nodes beyond their capacity, and back into the client's own zone.
#include <algorithm>

#include "server/tree/planner/placement.h"

namespace cairn::planner {
namespace {

// Every move lowers the largest relative load it touches or brings a client home, so passes end by themselves, mostly
// with the second. The bound is against inputs where they do so slowly.
constexpr int kPassesMax = 32;

struct Target {
  int node = kNone;
  Why why = Why::kStays;
};

class Settler {
 public:
  Settler(Fleet& fleet, std::vector<Seat>& seats, const Policy& policy)
      : fleet_(fleet), seats_(seats), tolerance_(policy.tolerance) {}

  bool RelieveAll() {
    bool moved = false;
    const std::vector<std::vector<int>> movable = MovableByNode();
    for (const int node : Overloaded()) moved |= Relieve(node, movable[node]);
    return moved;
  }

  bool BringHome() {
    bool moved = false;
    for (Seat& seat : seats_) {
      if (seat.held || seat.zone == kNone || fleet_.zone(seat.node) == seat.zone) continue;
      const int node = fleet_.BestFitWithSpare(seat.load, seat.zone, tolerance_);
      if (node == kNone) continue;
      Move(seat, {node, Why::kOwnZone});
      moved = true;
    }
    return moved;
  }

 private:
  bool IsOverloaded(int node) const { return fleet_.alive(node) && fleet_.Relative(node) > 1 + tolerance_; }

  // The worst first.
  std::vector<int> Overloaded() const {
    std::vector<int> nodes;
    for (int i = 0; i < fleet_.size(); ++i) {
      if (IsOverloaded(i)) nodes.push_back(i);
    }
    std::stable_sort(nodes.begin(), nodes.end(),
                     [this](int a, int b) { return fleet_.Relative(a) > fleet_.Relative(b); });
    return nodes;
  }

  // Of overloaded nodes only.
  std::vector<std::vector<int>> MovableByNode() const {
    std::vector<std::vector<int>> movable(fleet_.size());
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      const Seat& seat = seats_[i];
      if (!seat.held && seat.load > 0 && IsOverloaded(seat.node)) movable[seat.node].push_back(static_cast<int>(i));
    }
    return movable;
  }

  // A node with room, or one that is clearly better off even then.
  Target Elsewhere(const Seat& seat) const {
    if (const int node = fleet_.BestFit(seat.load, seat.zone); node != kNone) return {node, Why::kOwnZone};
    if (const int node = fleet_.BestFitAnywhere(seat.load); node != kNone) return {node, Why::kOtherZone};
    const int node = fleet_.LeastRelative(seat.load, seat.zone);
    const bool better = fleet_.Relative(node, seat.load) < fleet_.Relative(seat.node) * (1 - tolerance_);
    return better ? Target{node, Why::kNoRoom} : Target{};
  }

  void Move(Seat& seat, Target target) {
    fleet_.RemoveClient(seat.node, seat.load);
    fleet_.AddClient(target.node, seat.load);
    seat.node = target.node;
    seat.why = seat.node == seat.from ? Why::kStays : target.why;
  }

  // Which client to move, as a position in `movable`, ascending by load: the smallest whose going is enough, or the
  // largest, so that few go.
  std::size_t Choose(int node, const std::vector<int>& movable) const {
    const double excess = fleet_.load(node) - fleet_.capacity(node);
    const auto it = std::lower_bound(movable.begin(), movable.end(), excess,
                                     [this](int client, double load) { return seats_[client].load < load; });
    return (it == movable.end() ? movable.size() - 1 : it - movable.begin());
  }

  // Whoever can go somewhere, everybody smaller can, too: after a failure only those that can are left.
  void KeepThoseWithATarget(std::vector<int>& movable) const {
    movable.erase(std::partition_point(movable.begin(), movable.end(),
                                       [this](int client) { return Elsewhere(seats_[client]).node != kNone; }),
                  movable.end());
  }

  bool Relieve(int node, std::vector<int> movable) {
    bool moved = false;
    std::stable_sort(movable.begin(), movable.end(), [this](int a, int b) { return seats_[a].load < seats_[b].load; });
    while (fleet_.Relative(node) > 1 && !movable.empty()) {
      const std::size_t chosen = Choose(node, movable);
      Seat& seat = seats_[movable[chosen]];
      const Target target = Elsewhere(seat);
      if (target.node == kNone) {
        KeepThoseWithATarget(movable);
        continue;
      }
      Move(seat, target);
      movable.erase(movable.begin() + static_cast<std::ptrdiff_t>(chosen));
      moved = true;
    }
    return moved;
  }

  Fleet& fleet_;
  std::vector<Seat>& seats_;
  const double tolerance_;
};

}  // namespace

void Settle(Fleet& fleet, std::vector<Seat>& seats, const Policy& policy) {
  Settler settler(fleet, seats, policy);
  bool moved = true;
  for (int pass = 0; moved && pass < kPassesMax; ++pass) {
    moved = settler.RelieveAll();
    moved |= settler.BringHome();
  }
}

}  // namespace cairn::planner
