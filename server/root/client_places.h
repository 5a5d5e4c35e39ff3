// Which gateway each client should send its updates to: what the planner (docs/planner.md) is told of nodes and
// clients, kept up to date, and what it said. No clocks, threads or sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/tree/planner/plan.h"

namespace cairn {

// A node to which clients of others may be sent.
struct ClientsOffer {
  std::string address;  // host:port that they dial. Empty: none are sent here.
  std::string zone;
  double capacity = 0;               // Bytes of updates that it can take in a second.
  double fold_seconds_per_byte = 0;  // Of one core.
  std::uint32_t cores = 1;
  std::uint32_t workers = 0;  // Processes that fold.
};

struct PlaceQuery {
  std::string federation, client, zone;
  std::uint64_t bytes = 0;  // Of the client's next update.
};

class ClientPlaces {
 public:
  // The time from a round's first question to its last, in which one update of each client comes: before it was ever
  // seen, and at least.
  static constexpr absl::Duration kWindowFirst = absl::Seconds(30);
  static constexpr absl::Duration kWindowMin = absl::Seconds(1);
  // Who has not asked in so many rounds of its federation is forgotten.
  static constexpr std::uint64_t kRoundsKept = 3;

  // INVALID_ARGUMENT: numbers that no planner takes. RESOURCE_EXHAUSTED: beyond limits::kTreeNodesMax. Then, and
  // without an address, the node takes no part.
  absl::Status NodeCame(const std::string& node, const ClientsOffer& offer);
  void NodeWent(const std::string& node);
  // What came before is published: whoever stayed where its update was may be moved.
  void RoundOpened(const std::string& federation);
  void ClientLeft(const std::string& federation, const std::string& client);
  void Forget(const std::string& federation);

  // Where the client's update belongs; empty: anywhere. It then stays there until a round opens, or the node goes.
  // None: the next plan tells. `now`: of the question.
  std::optional<std::string> Find(const PlaceQuery& query, absl::Time now);
  // The same of whom Find has noted, by the last plan: whatever else the question says is of the next one.
  std::string Planned(const PlaceQuery& query, absl::Time now);

  // Errors of planner::MakePlan; then clients without a place are told "anywhere" until something changes.
  absl::StatusOr<planner::Plan> Plan();

  std::size_t clients() const { return clients_.size(); }

 private:
  struct Target {
    planner::Node node;
    std::string address;
  };
  struct Known {
    planner::Client client;   // `id` is FEDERATION/CLIENT.
    std::uint64_t round = 0;  // Rounds::opened at its last question.
  };
  struct Rounds {
    std::uint64_t opened = 0;
    absl::Duration window = kWindowFirst;
    // Of the round that is open.
    std::uint64_t questions = 0;
    absl::Time first, last;
  };
  using Clients = std::map<std::string, Known>;

  void Note(Rounds& rounds, Known& known, absl::Time now);
  Clients::iterator Begin(const std::string& federation);
  Clients::iterator End(const std::string& federation);

  std::map<std::string, Target> nodes_;
  Clients clients_;  // In the order of plans.
  std::map<std::string, Rounds> rounds_;
  bool changed_ = false;  // Since the last plan.
};

}  // namespace cairn
