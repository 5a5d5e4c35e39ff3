// The servers under test, as processes of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/ingest_sink.h"
#include "simulation/process.h"

namespace cairn::bench {

struct FederationSpec {
  std::string name;
  std::string combine;
  int clients = 1;  // A round opens when they have joined and closes when all have contributed.
};

struct ServerSpec {
  std::filesystem::path directory;  // Of data and log; must be new.
  bool durable = true;
  int budget_mib = 512;
  std::vector<FederationSpec> federations;
  int workers = 0;
  bool metrics = false;  // Whether it serves them.
};

class ServerProcess {
 public:
  // `cairn serve`, from beside this program.
  static absl::StatusOr<ServerProcess> StartCairn(const ServerSpec& spec);
  // This program as a sink.
  static absl::StatusOr<ServerProcess> StartSink(SinkWork work, const std::filesystem::path& log);

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }  // "" without.
  pid_t pid() const { return process_.pid(); }
  // Processor time of all its threads so far.
  double CpuSeconds() const;

 private:
  explicit ServerProcess(ChildProcess process) : process_(std::move(process)) {}
  ChildProcess process_;
  std::string address_, metrics_address_;
};

}  // namespace cairn::bench
