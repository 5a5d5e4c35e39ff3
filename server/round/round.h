// The life of a federation's rounds as a pure function: Step(state, event, now) -> state, effects. No threads, clocks,
// disks or sockets; the coordinator (server/root) feeds it and carries out what it asks.
//
//   kWaiting --minimum joined--> kOpen --target, or minimum and deadline or no progress--> kAggregating
//      ^                                                                                      |
//      '-------------------------------- Published (more rounds to come) --------------------'--> kFinished
//
// With a required client no round closes, for whatever reason, before that one has contributed; others may contribute
// meanwhile, beyond the target too.
// Dropped in kAggregating: closes again with the others, or goes back to kOpen when they are too few.
//
// A contribution may lie at a node. A round that would close while such a node is away is held in kAggregating until
// the node is back or, if the policy does not wait for ever, is given up: its contributions are none any more.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cairn::round {

enum class Phase { kWaiting, kOpen, kAggregating, kFinished };
absl::string_view NameOf(Phase phase);  // "waiting", "open", "aggregating", "finished"

// What becomes of contributions at a node that has been away for too long.
enum class NodeLoss {
  kWait,      // They are safe there: the round waits.
  kAskAgain,  // Their clients are asked again, if need be in a round that opens again.
  kGoOn,      // A round that would close does so with the others, if they are enough.
};

struct Policy {
  std::uint32_t clients_min = 1;                        // Opens a round, and is enough to close it late.
  std::uint32_t clients_target = 1;                     // Closes it at once. At least clients_min.
  absl::Duration deadline = absl::InfiniteDuration();   // From the opening.
  absl::Duration progress_timeout = absl::Minutes(10);  // Since the last received byte of anyone.
  std::uint64_t rounds = 0;                             // 0: no end.
  std::string required;                                 // Empty: none. A client that every round needs.
  NodeLoss on_node_loss = NodeLoss::kWait;
  absl::Duration node_timeout = absl::Seconds(60);  // How long is too long.
};

struct Client {
  enum class Part { kJoined, kUploading, kContributed };
  bool active = true;  // False after Leave: not counted as present, though a contribution stays.
  Part part = Part::kJoined;
  std::uint64_t bytes_received = 0, bytes_total = 0;
  std::string node;  // Where its contribution lies. Empty: at the root.
  friend bool operator==(const Client&, const Client&) = default;
};

struct State {
  Policy policy;
  Phase phase = Phase::kWaiting;
  std::uint64_t round = 0;    // The current or latest round; 0 before the first.
  std::uint64_t version = 0;  // The latest published version.
  absl::Time opened = absl::InfinitePast();
  absl::Time deadline = absl::InfiniteFuture();  // Moves when the round is extended.
  absl::Time last_progress = absl::InfinitePast();
  absl::Time retry_at = absl::InfiniteFuture();  // kAggregating, after a failure.
  std::string failure;                           // kAggregating: why the last attempt failed.
  std::uint32_t failures = 0;                    // kAggregating: attempts in a row that will fail again.
  std::map<std::string, Client> clients;         // By id.
  std::map<std::string, absl::Time> away;        // Nodes with contributions that cannot be reached, since when.
  bool held = false;                             // kAggregating: waits for them, and has nothing in hand.

  std::uint32_t active() const;
  std::uint32_t contributed() const;
  bool has_required() const;  // It has contributed, or there is none.
  bool in_hand() const;       // An aggregation is under way.
};

// What happened.
struct Joined {
  std::string client;
};
struct Left {
  std::string client;
};
struct UploadProgressed {  // Also the start of an upload, with what a resumed one already has.
  std::string client;
  std::uint64_t bytes_received = 0, bytes_total = 0;
};
struct UploadEnded {  // Broken off or refused.
  std::string client;
};
struct Contributed {  // The update is durable.
  std::string client;
  std::string node;  // Where. Empty: at the root.
};
struct Published {
  std::uint64_t version = 0;
};
struct AggregationFailed {
  std::string reason;
  bool permanent = false;  // The same updates will fail the same way, as long as the server is the same.
};
struct Dropped {  // These updates turned out to be of no use: they are no contributions any more.
  std::vector<std::string> clients;
};
struct UpdatesLost {  // Those who have them have them no more. REQUIRES: !State::in_hand(), or it has just failed.
  std::vector<std::string> clients;
};
struct Fetched {  // The root itself has these updates, durably: whatever becomes of their nodes.
  std::vector<std::string> clients;
};
struct NodeLost {
  std::string node;
};
struct NodeBack {
  std::string node;
};
struct Tick {};  // Time has passed.
using Event = std::variant<Joined, Left, UploadProgressed, UploadEnded, Contributed, Published, AggregationFailed,
                           Dropped, UpdatesLost, Fetched, NodeLost, NodeBack, Tick>;

// What is to be done.
struct RoundOpened {
  std::uint64_t round = 0;
};
struct RoundExtended {
  absl::Time until;
};
struct RoundClosed {  // Aggregate these contributions; again after a failure.
  std::uint64_t round = 0;
  std::vector<std::string> contributors;  // Ascending.
};
struct RoundReopened {  // Of the contributions too few are left, or not the one that is required.
  std::uint64_t round = 0;
};
struct RoundHeld {  // It will close when the nodes in State::away are back or given up.
  std::uint64_t round = 0;
};
struct NodeGivenUp {  // Comes before what it leads to.
  std::string node;
  std::vector<std::string> clients;  // Whose contributions lay there. Ascending.
};
struct FederationFinished {};
using Effect =
    std::variant<RoundOpened, RoundExtended, RoundClosed, RoundReopened, RoundHeld, NodeGivenUp, FederationFinished>;

struct Transition {
  State state;
  std::vector<Effect> effects;
};

// An event that does not apply in the state (progress of an unknown client, say) changes nothing.
Transition Step(State state, const Event& event, absl::Time now);

// Whether `client` may upload to `round` now. NOT_FOUND: has not joined. FAILED_PRECONDITION: the round is not the open
// one. ALREADY_EXISTS: has contributed.
absl::Status CheckUpload(const State& state, absl::string_view client, std::uint64_t round);

// When to send the next Tick; InfiniteFuture when only another event can change anything.
absl::Time NextAlarm(const State& state);

// After a restart: uploads are no longer in progress, and an aggregation starts again. Feed a Tick next.
State Recovered(State state, absl::Time now);

// For people: "2 of 5; client-3 at 63 %; client-4 and client-5 not started; closes with 2 in 3m20s".
std::string WaitingFor(const State& state, absl::Time now);

// How long after a failed aggregation the next attempt starts; twice as long after each that will fail again, up to the
// maximum.
inline constexpr absl::Duration kAggregationRetry = absl::Seconds(15);
inline constexpr absl::Duration kAggregationRetryMax = absl::Minutes(10);

}  // namespace cairn::round
