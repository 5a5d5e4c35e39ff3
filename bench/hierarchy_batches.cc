#include "bench/hierarchy_batches.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/hierarchy_samples.h"
#include "bench/median.h"

namespace cairn::bench {
namespace {

using Contenders = std::vector<std::unique_ptr<Contender>>;
using Rows = std::vector<std::vector<std::string>>;

constexpr int kBatches[] = {1, 2, 4, 8};
constexpr int kBatchMax = 8;
constexpr int kUpdates = kBatchMax;  // Of a run.

std::vector<DesignFacts> DesignsAmong(const std::vector<DesignFacts>& all) {
  std::vector<DesignFacts> designs;
  for (const DesignFacts& facts : all) {
    const bool folds_in_place = facts.design == Design::kFloor || facts.design == Design::kOne ||
                                facts.design == Design::kShared || facts.design == Design::kGateway;
    if (folds_in_place) designs.push_back(facts);
  }
  return designs;
}

absl::Status Race(Contenders& contenders, int runs, int batch, std::vector<HierarchySamples>& all) {
  for (int run = -1; run < runs; ++run) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      CAIRN_ASSIGN_OR_RETURN(const Outcome outcome,
                             contenders[i]->Run({.updates = kUpdates, .in_flight = batch, .batch = batch}));
      if (run >= 0) all[i].runs.push_back({.hop = Median(outcome.hop)});
    }
  }
  return absl::OkStatus();
}

absl::Status MeasureSize(const HierarchyOptions& options, double megabytes) {
  Rows rows = {{"", "size", "together", "hop ms", "of floor"}};
  CAIRN_ASSIGN_OR_RETURN(const HierarchyPayload payload,
                         MakeHierarchyPayload(static_cast<std::uint64_t>(1e6 * megabytes)));
  HierarchyOptions room = options;
  room.in_flight = kBatchMax;
  CAIRN_ASSIGN_OR_RETURN(Contenders contenders, StartContenders(room, DesignsAmong(options.designs), payload,
                                                                absl::StrCat("batches-", megabytes)));
  for (const int batch : kBatches) {
    std::fprintf(stderr, "\r%s: %d folded together   ", NameOfSize(megabytes).c_str(), batch);
    std::vector<HierarchySamples> all;
    for (const auto& contender : contenders) all.push_back({contender->facts(), {}, 0});
    CAIRN_RETURN_IF_ERROR(Race(contenders, options.runs, batch, all));
    for (const HierarchySamples& samples : all) {
      rows.push_back({samples.facts.name, NameOfSize(megabytes), absl::StrCat(batch),
                      absl::StrFormat("%.2f", 1e3 * samples.MedianOf(&HierarchySample::hop)),
                      absl::StrFormat("%.2f", samples.RatioTo(all.front(), &HierarchySample::hop))});
    }
  }
  std::fprintf(stderr, "\r%50s\r", "");
  std::printf("%s", FormatTable(rows, Align::kRight).c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureHierarchyBatches(const HierarchyOptions& options) {
  std::printf("\nHop and fold of an update when several are folded together\n");
  for (const double megabytes : options.megabytes) CAIRN_RETURN_IF_ERROR(MeasureSize(options, megabytes));
  return absl::OkStatus();
}

}  // namespace cairn::bench
