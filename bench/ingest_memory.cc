#include "bench/ingest_memory.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "bench/ingest_payload.h"
#include "bench/ingest_server.h"
#include "bench/ingest_together.h"
#include "bench/ingest_upload.h"
#include "bench/resident.h"

namespace cairn::bench {
namespace {

constexpr int kBudgetMib = 512;
constexpr int kClients[] = {8, 64};
constexpr int kClientsMax = 64;
constexpr absl::Duration kSamplePause = absl::Milliseconds(5);
constexpr double kMiB = 1024.0 * 1024.0;

// Watches a process until it is destroyed.
class MemoryWatch {
 public:
  explicit MemoryWatch(pid_t pid) : thread_([this, pid] { Loop(pid); }) {}
  ~MemoryWatch() { Stop(); }
  // The largest sample.
  ResidentMemory Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return most_;
  }

 private:
  void Loop(pid_t pid) {
    for (; !stopping_; absl::SleepFor(kSamplePause)) {
      const auto memory = ResidentMemoryOf(pid);
      if (memory.ok() && memory->now > most_.now) most_ = *memory;
    }
  }

  std::atomic<bool> stopping_ = false;
  ResidentMemory most_;
  std::thread thread_;  // Last: it uses the others.
};

absl::StatusOr<std::vector<std::unique_ptr<Uploader>>> Join(const ServerProcess& server, int clients) {
  std::vector<std::unique_ptr<Uploader>> uploaders;
  for (int client = 0; client < clients; ++client) {
    CAIRN_ASSIGN_OR_RETURN(auto uploader,
                           Uploader::Connect(server.address(), "memory", absl::StrCat("client-", client)));
    CAIRN_RETURN_IF_ERROR(uploader->Join());
    uploaders.push_back(std::move(uploader));
  }
  return uploaders;
}

// One round, from the first byte to the published version.
struct RoundCost {
  ResidentMemory uploading, aggregating;  // Largest samples.
  std::uint64_t peak = 0;                 // As the kernel counted it.
  double upload_seconds = 0, aggregate_seconds = 0;
};

absl::StatusOr<RoundCost> RunRound(const ServerProcess& server, const Payloads& payloads, int clients) {
  CAIRN_ASSIGN_OR_RETURN(const auto uploaders, Join(server, clients));
  RoundCost cost;
  MemoryWatch uploading(server.pid());
  CAIRN_ASSIGN_OR_RETURN(cost.upload_seconds, Together(clients, [&](int client) {
                           return uploaders[client]->Push(1, payloads.adapter_config, payloads.clients[client]);
                         }));
  cost.uploading = uploading.Stop();
  MemoryWatch aggregating(server.pid());
  const absl::Time closed = absl::Now();
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t next, uploaders.front()->AwaitRound());
  if (next != 2) return absl::InternalError(absl::StrCat("expected round 2 to open, got ", next));
  cost.aggregate_seconds = absl::ToDoubleSeconds(absl::Now() - closed);
  cost.aggregating = aggregating.Stop();
  CAIRN_ASSIGN_OR_RETURN(const ResidentMemory end, ResidentMemoryOf(server.pid()));
  cost.peak = end.peak;
  return cost;
}

void PrintHeader() {
  std::printf(
      "\nPeak resident memory of the server in MiB, budget %d MiB: N clients push 64 MiB each at once, then\n"
      "the round closes and is stacked. anon + file + shared are those of the largest sample.\n",
      kBudgetMib);
  std::printf("  %-9s %8s %6s  %-26s %-26s %9s %10s\n", "", "clients", "peak", "uploading", "aggregating", "upload s",
              "aggregate s");
}

std::string Parts(const ResidentMemory& memory) {
  char text[64];
  std::snprintf(text, sizeof text, "%.0f = %.0f + %.0f + %.0f", memory.now / kMiB, memory.anonymous / kMiB,
                memory.file / kMiB, memory.shared / kMiB);
  return text;
}

void PrintRow(bool durable, int clients, const RoundCost& cost) {
  std::printf("  %-9s %8d %6.0f  %-26s %-26s %9.1f %10.1f\n", durable ? "durable" : "memory", clients, cost.peak / kMiB,
              Parts(cost.uploading).c_str(), Parts(cost.aggregating).c_str(), cost.upload_seconds,
              cost.aggregate_seconds);
  std::fflush(stdout);
}

absl::Status MeasureCase(const std::filesystem::path& directory, const Payloads& payloads, bool durable, int clients) {
  CAIRN_ASSIGN_OR_RETURN(const ServerProcess server,
                         ServerProcess::StartCairn({directory, durable, kBudgetMib, {{"memory", "stack", clients}}}));
  CAIRN_ASSIGN_OR_RETURN(const RoundCost cost, RunRound(server, payloads, clients));
  PrintRow(durable, clients, cost);
  if (cost.peak <= kBudgetMib * kMiB) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("peak memory of ", cost.peak, " bytes is beyond the budget"));
}

}  // namespace

absl::Status MeasureMemory(const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const Payloads payloads, MakePayloads(kClientsMax));
  PrintHeader();
  absl::Status result;
  for (const bool durable : {false, true}) {
    for (const int clients : kClients) {
      const auto data = directory / absl::StrCat(durable ? "durable-" : "memory-", clients);
      result.Update(MeasureCase(data, payloads, durable, clients));
      std::error_code error;
      std::filesystem::remove_all(data, error);  // Gigabytes: before the next case.
    }
  }
  return result;
}

}  // namespace cairn::bench
