// A real `cairn serve` on loopback with one federation per method.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "simulation/process.h"

namespace cairn {

struct ServerSpec {
  std::filesystem::path executable;  // cairn
  std::filesystem::path directory;   // For its configuration and data; created.
  std::filesystem::path log;
  std::vector<std::string> methods;  // Combine rules; FederationOf names their federations.
  // Of all of them: keys of FederationConfig.
  std::string rule;
  std::vector<std::string> guards, rule_modules;
  bool relative_to_published = false;
  std::uint64_t rounds = 1;
  std::uint32_t clients = 1;  // Every round waits for all of them.
};

struct RunningServer {
  ChildProcess process;
  std::string endpoint;  // host:port
};

// What it is started with, as YAML: a ServerConfig.
std::string ServerYaml(const ServerSpec& spec);

// Returns when the server accepts calls. INTERNAL, with the tail of its log, when it ends first; DEADLINE_EXCEEDED;
// CANCELLED on Ctrl-C.
absl::StatusOr<RunningServer> StartServer(const ServerSpec& spec);

}  // namespace cairn
