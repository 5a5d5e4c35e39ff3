#include "bench/hierarchy_server.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/hierarchy_served.h"
#include "bench/hierarchy_server_memory.h"
#include "bench/hierarchy_server_steps.h"

namespace cairn::bench {
namespace {

constexpr int kWorkers = 2;
constexpr int kPushers = 8;
constexpr int kStepClientsMin = 16, kStepClientsMax = 100;

// Of one size.
class ServerBench {
 public:
  ServerBench(const HierarchyOptions& options, double megabytes)
      : options_(options), megabytes_(megabytes), size_(NameOfSize(megabytes)) {
    for (const int clients : options.clients) {
      (megabytes * clients > 1e3 * options.round_gigabytes_max ? left_out_ : clients_).push_back(clients);
    }
    step_clients_ = std::clamp(static_cast<int>(options.run_megabytes / megabytes), kStepClientsMin, kStepClientsMax);
  }
  absl::Status Run();

 private:
  absl::Status MeasureMemory(bool durable);
  absl::Status MeasureSteps(bool durable);
  absl::Status CheckWithoutWorkers();
  absl::StatusOr<std::unique_ptr<Served>> Start(bool durable, int workers, int clients);
  // Version 1 of so many clients is always the same.
  absl::Status CheckFirstVersion(const Served& served, int clients);

  const HierarchyOptions& options_;
  const double megabytes_;
  const std::string size_;
  std::vector<int> clients_, left_out_;
  int step_clients_ = 0;
  Payloads payloads_;
  std::map<int, std::string> digests_;  // By number of clients.
  int servers_ = 0;
};

const char* NameOf(bool durable) { return durable ? "durable" : "in memory"; }

absl::StatusOr<std::unique_ptr<Served>> ServerBench::Start(bool durable, int workers, int clients) {
  const auto directory = options_.directory / absl::StrCat("server-", megabytes_, "-", ++servers_);
  return Served::Start({durable, workers, clients, kPushers}, payloads_, directory);
}

absl::Status ServerBench::CheckFirstVersion(const Served& served, int clients) {
  CAIRN_ASSIGN_OR_RETURN(const std::string digest, served.FirstDigest());
  const auto [known, is_new] = digests_.emplace(clients, digest);
  if (is_new || known->second == digest) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the version of ", clients, " clients is ", known->second, " here and ", digest, " there"));
}

absl::Status ServerBench::MeasureMemory(bool durable) {
  std::vector<ServerMemoryRow> rows;
  for (const int clients : clients_) {
    std::fprintf(stderr, "\r%s, %s: memory with %d clients   ", size_.c_str(), NameOf(durable), clients);
    CAIRN_ASSIGN_OR_RETURN(const auto served, Start(durable, kWorkers, clients));
    CAIRN_ASSIGN_OR_RETURN(ServerMemoryRow row,
                           MeasureServerMemory(*served, clients, kPushers, absl::Seconds(options_.memory_seconds)));
    rows.push_back(std::move(row));
    CAIRN_RETURN_IF_ERROR(CheckFirstVersion(*served, clients));
  }
  std::fprintf(stderr, "\r%60s\r", "");
  std::printf("\nMemory, %s, %s. Peaks in MB, of samples every 50 ms\n%s", size_.c_str(), NameOf(durable),
              ServerMemoryTable(rows, left_out_).c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status ServerBench::MeasureSteps(bool durable) {
  std::fprintf(stderr, "\r%s, %s: steps   ", size_.c_str(), NameOf(durable));
  CAIRN_ASSIGN_OR_RETURN(const auto served, Start(durable, kWorkers, step_clients_));
  CAIRN_ASSIGN_OR_RETURN(const auto columns, MeasureServerSteps(*served, {1, kPushers}, options_.runs));
  CAIRN_RETURN_IF_ERROR(CheckFirstVersion(*served, step_clients_));
  std::fprintf(stderr, "\r%60s\r", "");
  std::printf("\nSteps, %s, %s: %d rounds of %d clients each way\n%s", size_.c_str(), NameOf(durable), options_.runs,
              step_clients_, ServerStepsTable(columns).c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status ServerBench::CheckWithoutWorkers() {
  CAIRN_ASSIGN_OR_RETURN(const auto served, Start(true, 0, step_clients_));
  CAIRN_RETURN_IF_ERROR(served->crowd().Run(kPushers).status());
  return CheckFirstVersion(*served, step_clients_);
}

absl::Status ServerBench::Run() {
  const int most = clients_.empty() ? 0 : *std::max_element(clients_.begin(), clients_.end());
  std::fprintf(stderr, "\r%s: making updates   ", size_.c_str());
  CAIRN_ASSIGN_OR_RETURN(
      payloads_, MakeCrowdPayloads(static_cast<std::uint64_t>(1e6 * megabytes_), std::max(most, step_clients_)));
  for (const bool durable : {true, false}) CAIRN_RETURN_IF_ERROR(MeasureMemory(durable));
  for (const bool durable : {true, false}) CAIRN_RETURN_IF_ERROR(MeasureSteps(durable));
  CAIRN_RETURN_IF_ERROR(CheckWithoutWorkers());
  std::printf("\n%s: durable or in memory, with %d workers or none, %d clients publish the same bytes\n", size_.c_str(),
              kWorkers, step_clients_);
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureHierarchyServer(const HierarchyOptions& options) {
  std::printf(
      "\n`cairn serve` with %d workers, rule mean; the clients are one process with %d connections. Memory: all "
      "clients\n"
      "push at once, %d at a time, again and again for %g s, on a new server for each number of clients; \"of "
      "first\":\n"
      "anonymous memory, times that with the fewest clients. Steps: share of all time but that of parts.\n",
      kWorkers, kPushers, kPushers, options.memory_seconds);
  for (const double megabytes : options.server_megabytes) {
    CAIRN_RETURN_IF_ERROR(ServerBench(options, megabytes).Run());
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
