#include "bench/ingest_speed.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/cpu_time.h"
#include "bench/ingest_payload.h"
#include "bench/ingest_server.h"
#include "bench/ingest_sink.h"
#include "bench/ingest_together.h"
#include "bench/ingest_upload.h"
#include "bench/median.h"

namespace cairn::bench {
namespace {

constexpr int kConcurrency[] = {1, 8};
constexpr int kClientsMax = 8;
constexpr int kBudgetMib = 1024;  // All of a round's updates fit: nothing is spilled here.

std::string FederationFor(int clients) { return absl::StrCat("clients-", clients); }

// A server and its clients for one number of concurrent uploads.
struct Side {
  const ServerProcess* server;
  bool has_rounds;  // The sink has none.
  std::vector<std::unique_ptr<Uploader>> uploaders;
};

struct Sample {
  double seconds = 0, server_cpu = 0, client_cpu = 0;
};

struct Contender {
  std::string name;
  std::function<absl::StatusOr<Sample>()> measure;
  std::vector<Sample> samples;
};

absl::StatusOr<Side> OpenSide(const ServerProcess& server, bool has_rounds, int clients) {
  Side side{&server, has_rounds, {}};
  for (int client = 0; client < clients; ++client) {
    CAIRN_ASSIGN_OR_RETURN(
        auto uploader, Uploader::Connect(server.address(), FederationFor(clients), absl::StrCat("client-", client)));
    if (has_rounds) CAIRN_RETURN_IF_ERROR(uploader->Join());
    side.uploaders.push_back(std::move(uploader));
  }
  return side;
}

double OwnCpuSeconds() { return SecondsOn(CLOCK_PROCESS_CPUTIME_ID); }

// Every client of the side uploads once. Waits, off the clock, until the last round is published: then the server
// has given its memory back, warm, as in the middle of a long run.
absl::StatusOr<Sample> Upload(Side& side, const Payloads& payloads, bool whole_push) {
  std::uint64_t round = 1;
  if (side.has_rounds) {
    CAIRN_ASSIGN_OR_RETURN(round, side.uploaders.front()->AwaitRound());
  }
  Sample sample{0, -side.server->CpuSeconds(), -OwnCpuSeconds()};
  CAIRN_ASSIGN_OR_RETURN(sample.seconds, Together(static_cast<int>(side.uploaders.size()), [&](int client) {
                           Uploader& uploader = *side.uploaders[client];
                           const auto& payload = payloads.clients[client];
                           return whole_push ? uploader.Push(round, payloads.adapter_config, payload)
                                             : uploader.Stream(round, payloads.adapter_config, *payload);
                         }));
  sample.server_cpu += side.server->CpuSeconds();
  sample.client_cpu += OwnCpuSeconds();
  return sample;
}

absl::StatusOr<Sample> Copy(const Payloads& payloads, std::vector<std::string>& targets) {
  Sample sample{0, 0, -OwnCpuSeconds()};
  CAIRN_ASSIGN_OR_RETURN(sample.seconds, Together(static_cast<int>(targets.size()), [&](int client) {
                           const absl::string_view from = payloads.clients[client]->bytes();
                           std::memcpy(targets[client].data(), from.data(), from.size());
                           return absl::OkStatus();
                         }));
  sample.client_cpu += OwnCpuSeconds();
  return sample;
}

template <typename Value>
std::vector<double> Each(const std::vector<Sample>& samples, const Value& value) {
  std::vector<double> values;
  for (std::size_t i = 0; i < samples.size(); ++i) values.push_back(value(i));
  return values;
}

// How many times as fast as `other`, repetition by repetition: what disturbs the machine disturbs both.
double MedianRatio(const Contender& contender, const Contender& other) {
  return Median(
      Each(contender.samples, [&](std::size_t i) { return other.samples[i].seconds / contender.samples[i].seconds; }));
}

void PrintRow(const Contender& contender, const Contender& copy, const Contender& sink, double gigabytes) {
  const std::vector<double> speeds =
      Each(contender.samples, [&](std::size_t i) { return gigabytes / contender.samples[i].seconds; });
  const auto [low, high] = std::minmax_element(speeds.begin(), speeds.end());
  double server_cpu = 0, client_cpu = 0;
  for (const Sample& sample : contender.samples) {
    server_cpu += sample.server_cpu;
    client_cpu += sample.client_cpu;
  }
  const double total = gigabytes * static_cast<double>(contender.samples.size());
  std::printf("  %-26s %7.2f  %6.2f .. %-6.2f %8.2f %10.3f %12.2f %12.2f\n", contender.name.c_str(), Median(speeds),
              *low, *high, MedianRatio(contender, sink), MedianRatio(contender, copy), server_cpu / total,
              client_cpu / total);
}

void PrintTable(const std::vector<Contender>& contenders, int clients, double gigabytes) {
  std::printf("\n%d upload%s of 64 MiB at a time\n", clients, clients == 1 ? "" : "s");
  std::printf("  %-26s %7s  %16s %8s %10s %12s %12s\n", "", "GB/s", "min .. max", "of sink", "of memcpy", "server s/GB",
              "client s/GB");
  for (const Contender& contender : contenders) PrintRow(contender, contenders[0], contenders[1], gigabytes);
  std::fflush(stdout);
}

absl::Status Race(std::vector<Contender>& contenders, int repetitions) {
  for (int repetition = -1; repetition < repetitions; ++repetition) {  // The first one only warms up.
    for (Contender& contender : contenders) {
      const absl::StatusOr<Sample> sample = contender.measure();
      if (!sample.ok()) {
        return absl::Status(sample.status().code(), absl::StrCat(contender.name, ": ", sample.status().message()));
      }
      if (repetition >= 0) contender.samples.push_back(*sample);
    }
  }
  return absl::OkStatus();
}

absl::Status MeasureConcurrency(const ServerProcess& sink_server, const ServerProcess& memory_server,
                                const ServerProcess& durable_server, const Payloads& payloads, int clients,
                                int repetitions) {
  CAIRN_ASSIGN_OR_RETURN(Side sink, OpenSide(sink_server, false, clients));
  CAIRN_ASSIGN_OR_RETURN(Side memory, OpenSide(memory_server, true, clients));
  CAIRN_ASSIGN_OR_RETURN(Side durable, OpenSide(durable_server, true, clients));
  const std::size_t bytes = payloads.clients.front()->bytes().size();
  std::vector<std::string> targets(clients, std::string(bytes, '\0'));
  std::vector<Contender> contenders = {
      {"memcpy", [&] { return Copy(payloads, targets); }, {}},
      {"bare gRPC sink", [&] { return Upload(sink, payloads, false); }, {}},
      {"cairn memory, stream", [&] { return Upload(memory, payloads, false); }, {}},
      {"cairn durable, stream", [&] { return Upload(durable, payloads, false); }, {}},
      {"cairn memory, whole push", [&] { return Upload(memory, payloads, true); }, {}},
      {"cairn durable, whole push", [&] { return Upload(durable, payloads, true); }, {}},
  };
  CAIRN_RETURN_IF_ERROR(Race(contenders, repetitions));
  PrintTable(contenders, clients, 1e-9 * static_cast<double>(bytes) * clients);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureSpeed(const std::filesystem::path& directory, int repetitions) {
  CAIRN_ASSIGN_OR_RETURN(const Payloads payloads, MakePayloads(kClientsMax));
  std::vector<FederationSpec> federations;
  for (const int clients : kConcurrency) federations.push_back({FederationFor(clients), "mean", clients});
  CAIRN_ASSIGN_OR_RETURN(const ServerProcess sink, ServerProcess::StartSink(kCount, directory / "sink.log"));
  CAIRN_ASSIGN_OR_RETURN(const ServerProcess memory,
                         ServerProcess::StartCairn({directory / "memory", false, kBudgetMib, federations}));
  CAIRN_ASSIGN_OR_RETURN(const ServerProcess durable,
                         ServerProcess::StartCairn({directory / "durable", true, kBudgetMib, federations}));
  std::printf("Speed: median of %d interleaved repetitions; memory budget %d MiB, nothing is spilled.\n", repetitions,
              kBudgetMib);
  std::printf("stream: frames and receipt. whole push: also the sender's sha256 beforehand and the resume point.\n");
  for (const int clients : kConcurrency) {
    CAIRN_RETURN_IF_ERROR(MeasureConcurrency(sink, memory, durable, payloads, clients, repetitions));
  }
  return absl::OkStatus();
}

absl::Status MeasureSteps(const std::filesystem::path& directory, int repetitions) {
  constexpr const char* kNames[kSinkWorks] = {"bare gRPC sink", "+ crc32c", "+ copy to memory", "+ finite", "+ sha256"};
  CAIRN_ASSIGN_OR_RETURN(const Payloads payloads, MakePayloads(kClientsMax));
  std::vector<ServerProcess> sinks;
  for (int work = 0; work < kSinkWorks; ++work) {
    CAIRN_ASSIGN_OR_RETURN(ServerProcess sink,
                           ServerProcess::StartSink(static_cast<SinkWork>(work), directory / "sink.log"));
    sinks.push_back(std::move(sink));
  }
  std::printf("\nSteps: the sink with more and more of what the gateway does to every byte, as streams.\n");
  for (const int clients : kConcurrency) {
    std::vector<Side> sides(kSinkWorks);
    std::vector<std::string> targets(clients, std::string(payloads.clients.front()->bytes().size(), '\0'));
    std::vector<Contender> contenders = {{"memcpy", [&] { return Copy(payloads, targets); }, {}}};
    for (int work = 0; work < kSinkWorks; ++work) {
      CAIRN_ASSIGN_OR_RETURN(sides[work], OpenSide(sinks[work], false, clients));
      contenders.push_back({kNames[work], [&, work] { return Upload(sides[work], payloads, false); }, {}});
    }
    CAIRN_RETURN_IF_ERROR(Race(contenders, repetitions));
    PrintTable(contenders, clients, 1e-9 * static_cast<double>(targets[0].size()) * clients);
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
