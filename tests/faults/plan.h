// What is done to one round, drawn from the round's seed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/faults/world.h"

namespace cairn::faults {

enum class Kind {
  // To processes, at a moment of the round.
  kKillWorker,
  kKillAllWorkers,
  kStopWorker,
  kKillServer,
  kTerminateServer,
  kKillClient,
  kForgedKey,
  kStrangeWorker,
  kMemoryFull,
  kStopServer,
  kHangServer,
  kKillAll,
  // Before the round: a server starts again.
  kFailpoint,
  kDiskFullUpload,
  kDiskFullPublish,
  kScale,
  // By a client, before it sends its update.
  kBrokenOff,
  kLostAcknowledgement,
  kTruncated,
  kReordered,
  kOversize,
  kChecksum,
  kNotANumber,
  kInfinity,
  kWrongShape,
  kNoExamples,
  kTooManyExamples,
  kTornPart,
  kBitFlip,
  // By a client, after it got its receipt.
  kDuplicate,
  kOtherBytes,
  // By a client, when the version is published.
  kLate,
  // By a client that sends nothing else.
  kSlowLoris,
  // By a client, through another node at the same time as its update.
  kTwice,
  kOtherTwice,
  kCount,
};
std::string NameOf(Kind kind);

enum class Moment { kDuring, kBefore, kClientBefore, kClientAfter, kClientLate, kLoris, kBeside };
Moment MomentOf(Kind kind);

struct Fault {
  Kind kind = Kind::kCount;
  absl::Duration at;        // From the round's start, of kDuring.
  std::size_t client = 0;   // Of those of clients.
  std::uint64_t draw = 0;   // For whatever else is random.
  std::string point;        // Of kFailpoint.
  std::size_t process = 0;  // Which server; 0: the root, or the only one.
  absl::Duration down;      // How long a server that was ended stays so.
};

// Where a client sends its updates.
struct Placement {
  std::size_t gateway = 0;
  bool moves = false;   // To another one when that cannot be reached, or else waits for it.
  absl::Duration late;  // After the others.
};

struct Plan {
  std::uint64_t seed = 0;
  std::size_t federation = 0;
  std::size_t clients = kClients;  // That take part.
  std::vector<Fault> faults;
  std::array<Placement, kClients> placements = {{{0}, {1}, {2}, {3}, {4}}};  // Round and round.
};

// The same for the same seed. What takes seconds is drawn rarely. `nodes`: 0 for a single server.
Plan DrawPlan(std::uint64_t seed, bool durable, std::size_t nodes);
// Of the i-th round of a schedule; the first is the schedule's own, so that one round can be drawn again.
std::uint64_t RoundSeed(std::uint64_t schedule, std::uint64_t round);

// Faults of the list that are not drawn, and why.
std::vector<std::string> Skipped(bool durable);

struct Point {
  const char* name;
  bool of_worker = false;
  bool durable_only = false;
  bool nodes_only = false;
  bool of_root = false;   // With nodes: who comes by.
  bool combines = false;  // In rounds whose modules nodes combine.
};
// Every failpoint at a step boundary.
extern const std::vector<Point> kPoints;

}  // namespace cairn::faults
