#include "bench/ingest_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "bench/cpu_time.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartMax = absl::Seconds(20);
constexpr absl::Duration kPoll = absl::Milliseconds(10);

fs::path ThisProgram() { return fs::read_symlink("/proc/self/exe"); }

std::string ConfigOf(const ServerSpec& spec) {
  std::string yaml = absl::StrCat(
      "listen: 127.0.0.1:0\nmetrics_listen: ", spec.metrics ? "127.0.0.1:0" : "off",
      "\ndata_dir: ", spec.directory.string(), "/data\ndurability: ", spec.durable ? "durable" : "memory",
      "\nmemory_budget: ", spec.budget_mib, "MiB\nworkers: ", spec.workers, "\nlog_level: warn\nfederations:\n");
  for (const FederationSpec& federation : spec.federations) {
    absl::StrAppend(&yaml, "  - name: ", federation.name, "\n    combine: ", federation.combine,
                    "\n    clients: {min: ", federation.clients, ", target: ", federation.clients, "}\n");
  }
  return yaml;
}

// "" when there is none.
std::string LineOf(const fs::path& file) {
  const auto text = ReadFile(file, limits::kKiB);
  return text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : "";
}

absl::Status StartFailure(const fs::path& log) {
  return absl::UnavailableError(absl::StrCat("the server did not start:\n", TailOf(log, 20)));
}

// Polls until `address` has one.
template <typename Address>
absl::StatusOr<std::string> AwaitAddress(ChildProcess& process, const fs::path& log, const Address& address) {
  for (const absl::Time end = absl::Now() + kStartMax; absl::Now() < end && !process.ExitCode();) {
    if (std::string found = address(); !found.empty()) return found;
    absl::SleepFor(kPoll);
  }
  return StartFailure(log);
}

}  // namespace

absl::StatusOr<ServerProcess> ServerProcess::StartCairn(const ServerSpec& spec) {
  fs::create_directories(spec.directory);
  const fs::path config = spec.directory / "server.yaml", log = spec.directory / "log";
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(config, ConfigOf(spec)));
  ProcessSpec process{{ThisProgram().parent_path() / "cairn", "serve", "--config", config}, {}, log};
  CAIRN_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Spawn(process));
  ServerProcess server(std::move(child));
  CAIRN_ASSIGN_OR_RETURN(server.address_,
                         AwaitAddress(server.process_, log, [&] { return LineOf(spec.directory / "data/endpoint"); }));
  server.metrics_address_ = LineOf(spec.directory / "data/metrics_endpoint");
  return server;
}

absl::StatusOr<ServerProcess> ServerProcess::StartSink(SinkWork work, const fs::path& log) {
  CAIRN_ASSIGN_OR_RETURN(ChildProcess child,
                         ChildProcess::Spawn({{ThisProgram(), "--sink", std::to_string(work)}, {}, log}));
  ServerProcess server(std::move(child));
  CAIRN_ASSIGN_OR_RETURN(server.address_, AwaitAddress(server.process_, log, [&] {
                           const std::vector<std::string> lines = server.process_.ReadLines();
                           return lines.empty() ? std::string() : lines.front();
                         }));
  return server;
}

double ServerProcess::CpuSeconds() const { return CpuSecondsOf(pid()); }

}  // namespace cairn::bench
