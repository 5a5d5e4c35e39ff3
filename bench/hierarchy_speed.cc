#include "bench/hierarchy_speed.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/hierarchy_goals.h"
#include "bench/hierarchy_memory.h"
#include "bench/hierarchy_samples.h"
#include "bench/median.h"

namespace cairn::bench {
namespace {

using Contenders = std::vector<std::unique_ptr<Contender>>;

constexpr int kUpdatesMin = 4, kUpdatesMax = 64;  // Of a run.
constexpr absl::Duration kMemoryEvery = absl::Milliseconds(2);

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

absl::StatusOr<HierarchySample> RunOnce(Contender& contender, std::uint64_t bytes, int updates, int in_flight) {
  CAIRN_ASSIGN_OR_RETURN(const Outcome single, contender.Run({.updates = updates}));
  CAIRN_ASSIGN_OR_RETURN(const Outcome stream,
                         contender.Run({.updates = 2 * updates, .in_flight = in_flight, .batch = 0}));
  HierarchySample sample{.handoff = MeanOf(single.handoff), .hop = MeanOf(single.hop)};
  sample.hop_cpu = (single.cpu - single.landing_cpu) / updates;
  sample.stream = stream.total / (2 * updates);
  sample.stream_cpu = stream.cpu / (2 * updates);
  sample.copied = stream.copied / static_cast<double>(bytes) / (2 * updates);
  return sample;
}

// Interleaved; the first run only warms up.
absl::Status Race(Contenders& contenders, const HierarchyOptions& options, std::uint64_t bytes, int updates,
                  std::vector<HierarchySamples>& all) {
  for (int run = -1; run < options.runs; ++run) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      std::fprintf(stderr, "\r%.1f MB: run %d of %d, %-10s", 1e-6 * static_cast<double>(bytes), run + 1, options.runs,
                   all[i].facts.name);
      CAIRN_ASSIGN_OR_RETURN(const auto sample, RunOnce(*contenders[i], bytes, updates, options.in_flight));
      if (run >= 0) all[i].runs.push_back(sample);
    }
  }
  std::fprintf(stderr, "\r%50s\r", "");
  return absl::OkStatus();
}

// In a run of its own, which is not timed.
absl::StatusOr<std::uint64_t> PeakOf(Contender& contender, int updates, int in_flight) {
  std::vector<pid_t> pids;
  for (const Contender::Child& child : contender.children()) pids.push_back(child.process.pid());
  MemoryWatch watch(pids, kMemoryEvery);
  CAIRN_RETURN_IF_ERROR(contender.Run({.updates = 2 * updates, .in_flight = in_flight, .batch = 0}).status());
  return watch.Stop().total;
}

// Seconds from the seal to the first byte, of one update after the other; nothing is landed nor folded. The first ones
// make the slab known to both sides.
absl::StatusOr<std::vector<double>> HandoffsOf(Contender& contender, int count) {
  CAIRN_RETURN_IF_ERROR(contender.Run({.updates = std::min(count, 20), .land = false, .fold = false}).status());
  CAIRN_ASSIGN_OR_RETURN(Outcome outcome, contender.Run({.updates = count, .land = false, .fold = false}));
  return std::move(outcome.handoff);
}

bool IsShared(const Contender& contender) {
  return contender.facts().design == Design::kGateway || contender.facts().design == Design::kShared;
}

absl::Status MeasureHandoffs(Contenders& contenders, int count, const std::string& size,
                             std::vector<HandoffRow>& rows) {
  for (const auto& contender : contenders) {
    if (!IsShared(*contender)) continue;
    CAIRN_ASSIGN_OR_RETURN(const auto seconds, HandoffsOf(*contender, count));
    rows.push_back({contender->facts(), size, 1e6 * Median(seconds), 1e6 * Quantile(seconds, 0.99)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HierarchySamples>> MeasureSize(const HierarchyOptions& options, double megabytes,
                                                          std::vector<HandoffRow>& handoffs) {
  CAIRN_ASSIGN_OR_RETURN(const HierarchyPayload payload,
                         MakeHierarchyPayload(static_cast<std::uint64_t>(1e6 * megabytes)));
  const std::string size = NameOfSize(megabytes);
  CAIRN_ASSIGN_OR_RETURN(Contenders contenders,
                         StartContenders(options, options.designs, payload, absl::StrCat("speed-", megabytes)));
  std::vector<HierarchySamples> all;
  for (const auto& contender : contenders) all.push_back({contender->facts(), {}, 0});
  const int updates = std::clamp(static_cast<int>(options.run_megabytes / megabytes), kUpdatesMin, kUpdatesMax);
  CAIRN_RETURN_IF_ERROR(Race(contenders, options, payload.bytes, updates, all));
  CAIRN_RETURN_IF_ERROR(MeasureHandoffs(contenders, options.handoffs, size, handoffs));
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(all[i].peak, PeakOf(*contenders[i], updates, options.in_flight));
  }
  std::printf("\nUpdates of %s (%d one at a time and %d as a stream in each of %d runs)\n%s", size.c_str(), updates,
              2 * updates, options.runs, HierarchyTable(all).c_str());
  std::fflush(stdout);
  return all;
}

}  // namespace

absl::Status MeasureHierarchySpeed(const HierarchyOptions& options) {
  std::printf(
      "hop: an update lies landed in its sender's memory -> folded by the receiver, one at a time; CPU: of all\n"
      "processes, without landing. stream: the same with landing, %d on the way; CPU with landing.\n"
      "Medians of %d interleaved runs; \"of floor\" are medians of the ratios run by run.\n",
      options.in_flight, options.runs);
  std::vector<HandoffRow> handoffs;
  std::vector<HierarchySamples> largest;
  for (const double megabytes : options.megabytes) {
    CAIRN_ASSIGN_OR_RETURN(largest, MeasureSize(options, megabytes, handoffs));
  }
  std::printf("\nHand-off, %d for each size: from the seal to the first byte read, both sides warm\n%s",
              options.handoffs, HandoffTable(handoffs).c_str());
  std::printf("\nGoals, at %s\n%s", NameOfSize(options.megabytes.back()).c_str(), GoalTable(largest, handoffs).c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace cairn::bench
