#include "tests/faults/plan.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

namespace cairn::faults {
namespace {

struct Row {
  Kind kind;
  const char* name;
  Moment moment;
  int weight, weight_with_nodes;  // Of being drawn.
  bool durable_only = false;
};

// In the order of Kind. What takes seconds is rare.
const std::vector<Row> kRows = {
    {Kind::kKillWorker, "kill-worker", Moment::kDuring, 110, 110},
    {Kind::kKillAllWorkers, "kill-all-workers", Moment::kDuring, 50, 50},
    {Kind::kStopWorker, "stop-worker", Moment::kDuring, 50, 50},
    {Kind::kKillServer, "kill-server", Moment::kDuring, 70, 200},
    {Kind::kTerminateServer, "terminate-server", Moment::kDuring, 20, 60},
    {Kind::kKillClient, "kill-client", Moment::kDuring, 20, 20},
    {Kind::kForgedKey, "forged-key", Moment::kDuring, 40, 40},
    {Kind::kStrangeWorker, "other-protocol", Moment::kDuring, 30, 30},
    {Kind::kMemoryFull, "memory-full", Moment::kDuring, 8, 8},
    {Kind::kStopServer, "stop-server", Moment::kDuring, 0, 60},
    {Kind::kHangServer, "hang-server", Moment::kDuring, 0, 2},
    {Kind::kKillAll, "kill-all", Moment::kDuring, 0, 30},
    {Kind::kFailpoint, "failpoint", Moment::kBefore, 80, 240},
    {Kind::kDiskFullUpload, "disk-full-upload", Moment::kBefore, 15, 15, true},
    {Kind::kDiskFullPublish, "disk-full-publish", Moment::kBefore, 2, 2},
    {Kind::kScale, "scale", Moment::kBefore, 30, 30},
    {Kind::kBrokenOff, "broken-off", Moment::kClientBefore, 50, 50},
    {Kind::kLostAcknowledgement, "lost-acknowledgement", Moment::kClientBefore, 50, 50},
    {Kind::kTruncated, "truncated", Moment::kClientBefore, 30, 30},
    {Kind::kReordered, "reordered", Moment::kClientBefore, 30, 30},
    {Kind::kOversize, "oversize", Moment::kClientBefore, 30, 30},
    {Kind::kChecksum, "checksum", Moment::kClientBefore, 30, 30},
    {Kind::kNotANumber, "nan", Moment::kClientBefore, 25, 25},
    {Kind::kInfinity, "infinity", Moment::kClientBefore, 25, 25},
    {Kind::kWrongShape, "wrong-shape", Moment::kClientBefore, 25, 25},
    {Kind::kNoExamples, "no-examples", Moment::kClientBefore, 20, 20},
    {Kind::kTooManyExamples, "too-many-examples", Moment::kClientBefore, 20, 20},
    {Kind::kTornPart, "torn-part", Moment::kClientBefore, 40, 40, true},
    {Kind::kBitFlip, "bit-flip", Moment::kClientBefore, 40, 40, true},
    {Kind::kDuplicate, "duplicate", Moment::kClientAfter, 40, 40},
    {Kind::kOtherBytes, "other-bytes", Moment::kClientAfter, 40, 40, true},
    {Kind::kLate, "late", Moment::kClientLate, 40, 40},
    {Kind::kSlowLoris, "slow-loris", Moment::kLoris, 30, 30},
    {Kind::kTwice, "two-gateways", Moment::kBeside, 0, 60},
    {Kind::kOtherTwice, "other-bytes-elsewhere", Moment::kBeside, 0, 60},
};

const Row& RowOf(Kind kind) { return kRows[static_cast<std::size_t>(kind)]; }

constexpr double kSpanMillis = 80;  // An undisturbed round, or a little more; ...
constexpr double kSpanMillisOfNodes = 300;
constexpr std::uint64_t kLateMillis = 700;
constexpr std::uint64_t kFaultsMost = 4, kFaultsMostWithNodes = 6;  // In one round.

constexpr std::size_t kPointsOfOne = 33;  // Those at the front; the others need nodes.

// What faults may be, and to whom.
struct World {
  bool durable = true;
  std::size_t nodes = 0;
  bool loses_nodes = false;
};

Kind DrawKind(std::mt19937_64& random, const World& world) {
  const auto weight = [&](const Row& row) {
    if (row.durable_only && !world.durable) return 0;
    return world.nodes == 0 ? row.weight : row.weight_with_nodes;
  };
  int total = 0;
  for (const Row& row : kRows) total += weight(row);
  int left = static_cast<int>(random() % static_cast<std::uint64_t>(total));
  for (const Row& row : kRows) {
    left -= weight(row);
    if (left < 0) return row.kind;
  }
  return Kind::kKillWorker;
}

const Point& DrawPoint(std::mt19937_64& random, const World& world) {
  return kPoints[random() % (world.nodes > 0 ? kPoints.size() : kPointsOfOne)];
}

std::string DrawAction(std::mt19937_64& random, const Point& point) {
  return point.name + std::string(point.of_worker && random() % 3 == 0 ? "=stop" : "=kill") +
         (random() % 2 == 0 ? "@1" : "@2");
}

// Often at once; or longer than the federations that give up a node wait for it.
absl::Duration DrawDown(std::mt19937_64& random, bool loses_nodes) {
  const std::uint64_t most = loses_nodes ? 3000 : std::array{0, 0, 300, 3000}[random() % 4];
  return absl::Milliseconds(random() % (most + 1));
}

Fault DrawFault(std::mt19937_64& random, const World& world, std::size_t clients) {
  Fault fault;
  fault.kind = DrawKind(random, world);
  const double span = world.nodes == 0 ? kSpanMillis : kSpanMillisOfNodes;
  fault.at = absl::Milliseconds(span * (static_cast<double>(random() >> 11) * 0x1p-53));
  fault.client = random() % clients;
  fault.draw = random();
  const Point& point = DrawPoint(random, world);
  fault.point = DrawAction(random, point);
  if (world.nodes == 0) return fault;
  fault.process = random() % (world.nodes + 1);
  fault.down = DrawDown(random, world.loses_nodes);
  if (fault.kind == Kind::kDiskFullPublish || (fault.kind == Kind::kFailpoint && point.of_root)) {
    fault.process = 0;
  } else if (fault.kind == Kind::kDiskFullUpload || fault.kind == Kind::kFailpoint) {
    fault.process = 1 + random() % world.nodes;
  }
  return fault;
}

void DrawPlacements(std::mt19937_64& random, std::size_t nodes, std::array<Placement, kClients>& placements) {
  for (Placement& placement : placements) {
    placement = {random() % nodes, random() % 2 == 0, absl::ZeroDuration()};
    if (random() % 3 == 0) placement.late = absl::Milliseconds(random() % kLateMillis);
  }
}

}  // namespace

std::string NameOf(Kind kind) { return RowOf(kind).name; }
Moment MomentOf(Kind kind) { return RowOf(kind).moment; }

Plan DrawPlan(std::uint64_t seed, bool durable, std::size_t nodes) {
  std::mt19937_64 random(seed);
  Plan plan{.seed = seed};
  plan.federation = random() % FederationsOf(nodes);
  plan.clients = random() % 3 == 0 ? kClients : kTarget;
  const auto count = static_cast<int>(random() % (1 + (nodes == 0 ? kFaultsMost : kFaultsMostWithNodes)));
  const World world{durable, nodes, kSmallFederations[plan.federation].loses_nodes()};
  std::set<std::size_t> restarts;
  for (int i = 0; i < count; ++i) {
    const Fault fault = DrawFault(random, world, plan.clients);
    // A server starts with one set of failpoints and workers.
    if (MomentOf(fault.kind) == Moment::kBefore && !restarts.insert(fault.process).second) continue;
    plan.faults.push_back(fault);
  }
  std::stable_sort(plan.faults.begin(), plan.faults.end(), [](const Fault& a, const Fault& b) { return a.at < b.at; });
  if (nodes > 0) DrawPlacements(random, nodes, plan.placements);
  return plan;
}

std::uint64_t RoundSeed(std::uint64_t schedule, std::uint64_t round) {
  if (round == 0) return schedule;
  std::uint64_t z = schedule + round * 0x9e3779b97f4a7c15;  // SplitMix64.
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::vector<std::string> Skipped(bool durable) {
  std::vector<std::string> skipped = {
      "clock jump: leases run on the monotonic clock (CLOCK_MONOTONIC), which nobody can set; FenceTest moves it "
      "by hand",
      "full tmpfs: needs the right to mount; a failpoint refuses the write as a full disk does",
  };
  if (!durable) {
    skipped.push_back("torn-part, bit-flip, disk-full-upload: unfinished uploads are not files in memory mode");
    skipped.push_back("other-bytes: a server that was killed has forgotten the first, and may take them");
  }
  return skipped;
}

const std::vector<Point> kPoints = {
    {"gateway.before_header"},
    {"gateway.after_header"},
    {"gateway.before_chunk"},
    {"gateway.after_chunk"},
    {"gateway.before_seal"},
    {"gateway.after_seal"},
    {"gateway.before_acknowledgement"},
    {"gateway.after_acknowledgement"},
    {.name = "store.append", .durable_only = true},
    {"store.before_seal"},
    {.name = "store.after_sync", .durable_only = true},
    {.name = "store.after_rename", .durable_only = true},
    {.name = "root.before_commit", .of_root = true},
    {.name = "root.after_commit", .of_root = true},
    {.name = "publisher.before_start", .of_root = true},
    {.name = "publish.after_sum", .of_root = true},
    {.name = "publish.before_rename", .of_root = true},
    {.name = "publish.after_rename", .of_root = true},
    {.name = "publish.before_directory", .of_root = true},
    {.name = "publisher.before_record", .of_root = true},
    {.name = "root.before_latest", .of_root = true},
    {.name = "root.before_retain", .of_root = true},
    {"tree.before_task"},
    {"tree.after_reply"},
    {"worker.before_fold", true},
    {"worker.in_fold", true},
    {"worker.after_plane", true},
    {"worker.after_fold", true},
    {"worker.before_merge", true},
    {"worker.after_merge", true},
    {"worker.before_seal", true},
    {"worker.before_plane_seal", true},
    {"worker.after_seal", true},
    {.name = "node.before_sum", .nodes_only = true},
    {.name = "node.after_sum", .nodes_only = true},
    {.name = "node.before_combine", .nodes_only = true, .combines = true},
    {.name = "node.before_reduce", .nodes_only = true, .combines = true},
    {.name = "node.after_combine", .nodes_only = true, .combines = true},
    {.name = "worker.in_shard", .of_worker = true, .nodes_only = true, .combines = true},
    {.name = "node.in_delivery", .nodes_only = true},
    {.name = "node.before_keep", .nodes_only = true},
    {.name = "node.before_retain", .nodes_only = true},
    {.name = "root.in_delivery", .nodes_only = true, .of_root = true},
};

}  // namespace cairn::faults
