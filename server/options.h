// The configuration of a server as the server uses it: checked, with defaults filled in and units resolved.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config/yaml.h"
#include "server/gateway/credentials.h"
#include "server/root/federation.h"

namespace cairn::v1 {
class ServerConfig;
}  // namespace cairn::v1

namespace cairn {

// What of a server a process is.
enum class Role {
  kAll,      // Root and gateway in one.
  kRoot,     // Rounds, aggregation and publishing: for gateways of other processes.
  kGateway,  // Takes clients for a root of another process, and keeps what they send.
};

struct ServerOptions {
  Role role = Role::kAll;
  std::string listen;       // Of clients; not of a root.
  std::string node_listen;  // Of gateways; empty: none.
  TlsFiles node_tls;
  std::string root, node;      // Of a gateway: the root's address, and the node's name; empty: one made for it.
  RootTlsFiles root_tls;       // Also towards other nodes.
  std::string peer_listen;     // Of other nodes; empty: they cannot read here.
  std::string peer_address;    // What they dial; empty: peer_listen, as bound.
  // What clients of other gateways dial; empty: listen, as bound, unless that is a wildcard; "off": none are sent here.
  std::string client_address;
  std::string zone;
  std::uint64_t capacity = 0;  // Bytes of updates in a second; 0: what the cores can take.
  std::string metrics_listen;  // Empty: none.
  std::filesystem::path data_dir;
  bool durable = true;
  std::uint64_t memory_budget = 0;  // Bytes.
  std::uint64_t upload_max = 0;     // Bytes.
  bool verify_sha256 = true;
  std::size_t workers = 0;          // Processes that add up updates; 0: the server does.
  std::uint64_t worker_memory = 0;  // Bytes of shared memory for their sums.
  absl::Duration worker_lease = absl::Seconds(10);
  bool workers_by_hand = false;                      // Somebody else starts them.
  std::filesystem::path program = "/proc/self/exe";  // That knows the command `worker`.
  TlsFiles tls;
  std::string log_level;
  std::vector<FederationOptions> federations;  // A gateway's come from its root.
};

void FillServerDefaults(v1::ServerConfig& config);

// Reads a YAML file and fills in the defaults. INVALID_ARGUMENT and file errors name file, line and key.
absl::Status LoadServerConfig(const std::filesystem::path& path, v1::ServerConfig* config,
                              YamlPlaces* places = nullptr);

// INVALID_ARGUMENT names the key, what was expected and what came; and its place where `places` has it. Also: a key
// of another role.
absl::StatusOr<ServerOptions> ResolveServerOptions(const v1::ServerConfig& config, Role role = Role::kAll,
                                                   const YamlPlaces& places = {});

// Sets what federations publish where `config`, of which `options` were made, leaves it to combine and rule.
absl::Status FillPublish(const ServerOptions& options, v1::ServerConfig& config);

// The smallest memory budget with which a server runs, and what of it is set aside for the program itself and for
// gRPC's buffers; the rest holds updates.
inline constexpr std::uint64_t kMemoryBudgetMin = std::uint64_t{256} << 20;
inline constexpr std::uint64_t kWorkerMemoryMin = std::uint64_t{64} << 20;
inline constexpr absl::Duration kWorkerLeaseMin = absl::Milliseconds(100);
inline constexpr std::uint64_t kProgramBytes = std::uint64_t{96} << 20;
inline constexpr std::uint64_t kNetworkBytes = std::uint64_t{64} << 20;

}  // namespace cairn
