// A real `cairn serve`, or another role of a server, on loopback, to be started, stopped and killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/integration/child.h"

namespace cairn::testing {

// A program that lies beside this test's: "cairn".
std::string BuiltProgram(const std::string& name);

// A port of loopback that is free now, below those that the system gives to outgoing connections: a client that tries
// to connect while the server is down must not be given the server's own port.
std::uint16_t FreePort();

class ServerProcess {
 public:
  // `config`: the YAML but for listen, metrics_listen and data_dir. Everything it writes goes below `directory`.
  // `command`: what stands behind `cairn`; `host`: of loopback, to listen on.
  ServerProcess(std::filesystem::path directory, std::string config, std::vector<std::string> command = {"serve"},
                const std::string& host = "127.0.0.1");
  ~ServerProcess();  // Kills it; shows its log when the test has failed.

  // Of the command line, behind those that name the configuration; from the next start on.
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
  // "NAME=VALUE" each, beside those of this process; likewise.
  void set_environment(std::vector<std::string> environment) { environment_ = std::move(environment); }

  // Returns once it is ready. INTERNAL with its log when it ends first. The address stays the same over restarts.
  absl::Status Start();
  // The same without waiting until it is ready.
  absl::Status Launch();
  absl::Status AwaitReady();
  void Kill() { child_.reset(); }
  // SIGTERM; its exit code.
  absl::StatusOr<int> Terminate();
  absl::Status Restart();  // Kill and Start.

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  std::filesystem::path data_dir() const { return directory_ / "data"; }
  std::filesystem::path config_path() const { return directory_ / "server.yaml"; }
  std::filesystem::path latest(const std::string& federation) const;  // The published adapter.
  std::string Log() const;
  Child& child() { return *child_; }

 private:
  const std::filesystem::path directory_;
  const std::string config_, address_;
  const std::vector<std::string> command_;
  std::vector<std::string> arguments_, environment_;
  std::string metrics_address_;
  std::optional<Child> child_;
};

}  // namespace cairn::testing
