#include "server/root/client_places.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/tree/planner/load.h"

namespace cairn {
namespace {

std::string IdOf(const std::string& federation, const std::string& client) {
  return absl::StrCat(federation, "/", client);
}

bool IsPositive(double value) { return std::isfinite(value) && value > 0; }

// Its workers are alike, and who of them folds is theirs to decide.
planner::Node NodeOf(const std::string& id, const ClientsOffer& offer) {
  planner::Node node;
  node.id = id;
  node.zone = offer.zone;
  node.fold_seconds_per_byte = offer.fold_seconds_per_byte;
  node.capacity = offer.capacity * offer.fold_seconds_per_byte;
  node.cores = offer.cores;
  for (std::uint32_t i = 0; i < offer.workers; ++i) node.workers.push_back({absl::StrCat("w", i)});
  return node;
}

double RateOf(absl::Duration window) { return 1 / absl::ToDoubleSeconds(window); }

}  // namespace

absl::Status ClientPlaces::NodeCame(const std::string& node, const ClientsOffer& offer) {
  NodeWent(node);
  if (offer.address.empty()) return absl::OkStatus();
  planner::Node planned = NodeOf(node, offer);
  if (!IsPositive(offer.capacity) || !IsPositive(offer.fold_seconds_per_byte) || !IsPositive(planned.capacity) ||
      offer.cores == 0 || offer.workers > limits::kWorkersMax) {
    return absl::InvalidArgumentError(absl::StrCat("node ", node, ": a capacity of ", offer.capacity, " bytes/s, ",
                                                   offer.fold_seconds_per_byte, " s for a byte, ", offer.cores,
                                                   " cores and ", offer.workers, " workers"));
  }
  if (nodes_.size() >= limits::kTreeNodesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("node ", node, ": there are ", nodes_.size(), " nodes, the most that clients are placed on"));
  }
  nodes_[node] = {std::move(planned), offer.address};
  changed_ = true;
  return absl::OkStatus();
}

void ClientPlaces::NodeWent(const std::string& node) { changed_ |= nodes_.erase(node) != 0; }

// Ids have no '/', nor anything between it and '0', its successor.
ClientPlaces::Clients::iterator ClientPlaces::Begin(const std::string& federation) {
  return clients_.lower_bound(federation + "/");
}
ClientPlaces::Clients::iterator ClientPlaces::End(const std::string& federation) {
  return clients_.lower_bound(federation + "0");
}

void ClientPlaces::RoundOpened(const std::string& federation) {
  Rounds& rounds = rounds_[federation];
  if (rounds.questions > 1) {
    const double seen = absl::ToDoubleSeconds(std::max(rounds.last - rounds.first, kWindowMin));
    rounds.window = absl::Seconds(planner::Smoothed(absl::ToDoubleSeconds(rounds.window), seen));
  }
  rounds.questions = 0;
  ++rounds.opened;
  const auto end = End(federation);
  for (auto it = Begin(federation); it != end;) {
    if (it->second.round + kRoundsKept < rounds.opened) {
      it = clients_.erase(it);
      continue;
    }
    it->second.client.held = false;
    it->second.client.updates_per_second = RateOf(rounds.window);
    ++it;
  }
  changed_ = true;
}

void ClientPlaces::ClientLeft(const std::string& federation, const std::string& client) {
  clients_.erase(IdOf(federation, client));
}

void ClientPlaces::Forget(const std::string& federation) {
  clients_.erase(Begin(federation), End(federation));
  rounds_.erase(federation);
}

// A client asks again when an attempt failed: that is no update more.
void ClientPlaces::Note(Rounds& rounds, Known& known, absl::Time now) {
  if (known.round == rounds.opened && known.client.held) return;
  known.round = rounds.opened;
  if (rounds.questions++ == 0) rounds.first = now;
  rounds.last = now;
}

std::optional<std::string> ClientPlaces::Find(const PlaceQuery& query, absl::Time now) {
  if (nodes_.empty()) return "";
  const std::string id = IdOf(query.federation, query.client);
  const bool is_new = clients_.count(id) == 0;
  if (is_new && clients_.size() >= limits::kCohortClientsMax) return "";
  Rounds& rounds = rounds_[query.federation];
  Known& known = clients_[id];
  if (is_new || known.client.zone != query.zone) {
    known.client.id = id;
    known.client.zone = query.zone;
    known.client.updates_per_second = RateOf(rounds.window);
    changed_ = true;
  }
  known.client.bytes = query.bytes;
  if (changed_) return std::nullopt;
  return Planned(query, now);
}

std::string ClientPlaces::Planned(const PlaceQuery& query, absl::Time now) {
  const auto found = clients_.find(IdOf(query.federation, query.client));
  if (found == clients_.end()) return "";
  Known& known = found->second;
  Note(rounds_[query.federation], known, now);
  const auto target = nodes_.find(known.client.node);
  if (target == nodes_.end()) return "";
  known.client.held = true;
  return target->second.address;
}

absl::StatusOr<planner::Plan> ClientPlaces::Plan() {
  changed_ = false;
  planner::Input input;
  input.policy.spare_workers = 0;
  for (const auto& [id, target] : nodes_) input.nodes.push_back(target.node);
  input.clients.reserve(clients_.size());
  for (const auto& [id, known] : clients_) input.clients.push_back(known.client);
  CAIRN_ASSIGN_OR_RETURN(planner::Plan plan, planner::MakePlan(input));
  auto placement = plan.clients.begin();
  for (auto& [id, known] : clients_) known.client.node = (placement++)->node;
  return plan;
}

}  // namespace cairn
