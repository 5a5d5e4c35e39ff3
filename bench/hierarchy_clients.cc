#include "bench/hierarchy_clients.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/hierarchy_memory.h"

namespace cairn::bench {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr absl::Duration kMemoryEvery = absl::Milliseconds(50);
constexpr int kWarmUpdates = 4;

std::string Megabytes(std::uint64_t bytes) { return absl::StrFormat("%.0f", 1e-6 * static_cast<double>(bytes)); }

// "agent 3, aggregator 466, producer 155".
std::string PerProcess(const Contender& contender, const MemoryWatch::Peaks& peaks) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < peaks.processes.size(); ++i) {
    parts.push_back(absl::StrCat(contender.children()[i].role, " ", Megabytes(peaks.processes[i].total)));
  }
  return absl::StrJoin(parts, ", ");
}

// Seconds per update.
absl::StatusOr<double> MeasureCell(Contender& contender, const HierarchyOptions& options, const std::string& size,
                                   int clients, Rows& rows) {
  std::vector<pid_t> pids;
  for (const Contender::Child& child : contender.children()) pids.push_back(child.process.pid());
  MemoryWatch watch(pids, kMemoryEvery);
  CAIRN_ASSIGN_OR_RETURN(const Outcome outcome,
                         contender.Run({.updates = clients, .in_flight = options.in_flight, .batch = 0}));
  const MemoryWatch::Peaks peaks = watch.Stop();
  rows.push_back(
      {contender.facts().name, size, absl::StrCat(clients), absl::StrFormat("%.2f", 1e3 * outcome.total / clients),
       absl::StrFormat("%.2f", 1e3 * outcome.cpu / clients), Megabytes(peaks.total), PerProcess(contender, peaks)});
  return outcome.total / clients;
}

absl::Status MeasureContender(Contender& contender, const HierarchyOptions& options, const std::string& size,
                              Rows& rows) {
  CAIRN_ASSIGN_OR_RETURN(const Outcome warm, contender.Run({.updates = kWarmUpdates, .in_flight = options.in_flight}));
  double each = warm.total / kWarmUpdates;
  for (const int clients : options.clients) {
    std::fprintf(stderr, "\r%s, %s: %d clients   ", size.c_str(), contender.facts().name, clients);
    if (each * clients > options.cell_seconds_max) {
      rows.push_back({contender.facts().name, size, absl::StrCat(clients), "-"});
      continue;
    }
    CAIRN_ASSIGN_OR_RETURN(each, MeasureCell(contender, options, size, clients, rows));
  }
  std::fprintf(stderr, "\r%50s\r", "");
  return absl::OkStatus();
}

absl::Status MeasureSize(const HierarchyOptions& options, const std::vector<DesignFacts>& designs, double megabytes) {
  Rows rows = {{"", "size", "clients", "ms/update", "CPU ms", "peak PSS MB", "of each process, MB"}};
  CAIRN_ASSIGN_OR_RETURN(const HierarchyPayload payload,
                         MakeHierarchyPayload(static_cast<std::uint64_t>(1e6 * megabytes)));
  for (const DesignFacts& facts : designs) {
    CAIRN_ASSIGN_OR_RETURN(auto contenders,
                           StartContenders(options, {facts}, payload, absl::StrCat("clients-", megabytes)));
    CAIRN_RETURN_IF_ERROR(MeasureContender(*contenders.front(), options, NameOfSize(megabytes), rows));
  }
  std::printf("%s", FormatTable(rows, Align::kRight).c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureHierarchyClients(const HierarchyOptions& options) {
  std::vector<DesignFacts> designs;
  for (const DesignFacts& facts : options.designs) {
    if (facts.design == Design::kShared || facts.design == Design::kGrpc) designs.push_back(facts);
  }
  std::printf("\nClients, as a stream with %d on the way. \"-\": left out, it would take longer than %g s\n",
              options.in_flight, options.cell_seconds_max);
  for (const double megabytes : options.megabytes) CAIRN_RETURN_IF_ERROR(MeasureSize(options, designs, megabytes));
  return absl::OkStatus();
}

}  // namespace cairn::bench
