#include "server/tree/planner/placement.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace cairn::planner {
namespace {

using NodeIndex = std::unordered_map<std::string, int>;

NodeIndex LivingNodes(absl::Span<const Node* const> nodes) {
  NodeIndex living;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i]->alive) living.emplace(nodes[i]->id, static_cast<int>(i));
  }
  return living;
}

// Where the client is, if that node lives. What a lost node held is lost with it: such a client is placed afresh.
Seat SeatOf(const Client& client, const NodeIndex& living) {
  Seat seat;
  seat.load = client.updates_per_second * static_cast<double>(client.bytes);
  const auto it = living.find(client.node);
  if (it == living.end()) return seat;
  seat.from = seat.node = it->second;
  seat.held = client.held;
  seat.why = client.held ? Why::kHeld : Why::kStays;
  return seat;
}

// Seats without a node, largest first: small ones fill what large ones leave.
std::vector<Seat*> Homeless(std::vector<Seat>& seats) {
  std::vector<Seat*> homeless;
  for (Seat& seat : seats) {
    if (seat.node == kNone) homeless.push_back(&seat);
  }
  std::stable_sort(homeless.begin(), homeless.end(), [](const Seat* a, const Seat* b) { return a->load > b->load; });
  return homeless;
}

// Places those that `choose` finds a node for; the others remain.
template <typename Choose>
void PlaceThose(std::vector<Seat*>& homeless, Fleet& fleet, Why why, const Choose& choose) {
  const auto place = [&](Seat* seat) {
    const int node = choose(*seat);
    if (node == kNone) return false;
    fleet.AddClient(node, seat->load);
    seat->node = node;
    seat->why = why;
    return true;
  };
  homeless.erase(std::remove_if(homeless.begin(), homeless.end(), place), homeless.end());
}

void PlaceHomeless(Fleet& fleet, std::vector<Seat>& seats) {
  std::vector<Seat*> homeless = Homeless(seats);
  // Everybody's own zone before anybody's other one, so that no guest takes the room of somebody who lives there.
  PlaceThose(homeless, fleet, Why::kOwnZone, [&](const Seat& s) { return fleet.BestFit(s.load, s.zone); });
  PlaceThose(homeless, fleet, Why::kOtherZone, [&](const Seat& s) { return fleet.BestFitAnywhere(s.load); });
  PlaceThose(homeless, fleet, Why::kNoRoom, [&](const Seat& s) { return fleet.LeastRelative(s.load, s.zone); });
}

}  // namespace

std::vector<Seat> Place(absl::Span<const Node* const> nodes, absl::Span<const Client* const> clients,
                        const Policy& policy) {
  const NodeIndex living = LivingNodes(nodes);
  std::vector<Seat> seats;
  seats.reserve(clients.size());
  std::vector<Fleet::Start> starts(nodes.size());
  for (const Client* client : clients) {
    seats.push_back(SeatOf(*client, living));
    if (seats.back().node == kNone) continue;
    starts[seats.back().node].load += seats.back().load;
    ++starts[seats.back().node].clients;
  }
  Fleet fleet(nodes, starts);
  for (std::size_t i = 0; i < seats.size(); ++i) seats[i].zone = fleet.ZoneOf(clients[i]->zone);
  PlaceHomeless(fleet, seats);
  Settle(fleet, seats, policy);
  return seats;
}

}  // namespace cairn::planner
