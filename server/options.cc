#include "server/options.h"

#include <google/protobuf/message.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config/address.h"
#include "config/server_values.h"
#include "config/units.h"
#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/config_error.h"
#include "server/federation_options.h"
#include "server/root/published_form.h"
#include "server/store/shared/shared_store.h"

namespace cairn {

using options::ValueOf;
using options::Wrong;

namespace {

constexpr char kNodeListen[] = "127.0.0.1:7072";  // Of a root.

// `tls`: the key that would make plaintext beyond loopback TLS, and whether it is set.
absl::Status CheckExposed(const std::string& key, const std::string& value, const std::string& tls, bool set,
                          const v1::ServerConfig& config) {
  CAIRN_ASSIGN_OR_RETURN(HostPort address, ValueOf(key, ParseHostPort(value)));
  if (IsLoopback(address.host) || set || config.insecure_plaintext()) return absl::OkStatus();
  return Wrong(key, absl::StrCat(value, " is reachable from other machines without TLS: set ", tls,
                                 ", or insecure_plaintext: true if the network encrypts by itself"));
}

// A client's certificate must not do for a node.
absl::Status CheckNodeTls(const v1::ServerConfig& config) {
  const v1::Tls& tls = config.node_tls();
  if (tls.certificate().empty() && tls.key().empty() && tls.client_ca().empty()) return absl::OkStatus();
  if (tls.client_ca().empty()) return Wrong("node_tls.client_ca", "is required: only nodes may connect to node_listen");
  if (tls.client_ca() != config.tls().client_ca()) return absl::OkStatus();
  return Wrong("node_tls.client_ca", "is also that of clients, who would pass for nodes: use a CA of its own");
}

// A key that this process would not look at is a mistake: whoever wrote it expects something of it.
absl::Status CheckRole(const v1::ServerConfig& config, Role role) {
  const auto refuse = [&](std::initializer_list<const char*> keys, absl::string_view why) {
    for (const char* key : keys) {
      const auto* field = v1::ServerConfig::descriptor()->FindFieldByName(key);
      if (config.GetReflection()->HasField(config, field)) return Wrong(key, why);
    }
    return absl::OkStatus();
  };
  if (role == Role::kGateway) {
    return refuse({"node_listen", "node_tls"}, "is a key of the root: cairn serve --config FILE");
  }
  if (role == Role::kRoot) {
    CAIRN_RETURN_IF_ERROR(refuse({"client_address", "zone", "capacity", "tls"},
                                 "is a key of who takes clients, which a root alone does not: set it at the gateways"));
  } else if (config.node_listen().empty()) {
    CAIRN_RETURN_IF_ERROR(refuse({"client_address", "zone", "capacity"}, "is of no use without node_listen"));
  }
  return refuse({"root", "node", "root_tls", "peer_listen", "peer_address"},
                "is a key of gateways: cairn gateway --config FILE");
}

absl::Status ResolveRoot(const v1::ServerConfig& config, ServerOptions& options) {
  options.node_listen = config.node_listen();
  if (options.role == Role::kRoot && options.node_listen.empty()) options.node_listen = kNodeListen;
  options.node_tls = {config.node_tls().certificate(), config.node_tls().key(), config.node_tls().client_ca()};
  CAIRN_RETURN_IF_ERROR(CheckNodeTls(config));
  if (!options.node_listen.empty()) {
    CAIRN_RETURN_IF_ERROR(
        CheckExposed("node_listen", options.node_listen, "node_tls", !config.node_tls().certificate().empty(), config));
  }
  if (config.federations().empty()) return Wrong("federations", "at least one is required");
  std::set<std::string> names;
  for (int i = 0; i < config.federations_size(); ++i) {
    const std::string key = absl::StrCat("federations[", i, "]");
    CAIRN_ASSIGN_OR_RETURN(FederationOptions federation, ResolveFederation(config.federations(i), key));
    if (!names.insert(federation.name).second) {
      return Wrong(key + ".name", absl::StrCat("\"", federation.name, "\" is there twice"));
    }
    options.federations.push_back(std::move(federation));
  }
  return absl::OkStatus();
}

// Other nodes read this one's updates; its own clients must not.
absl::Status ResolvePeers(const v1::ServerConfig& config, ServerOptions& options) {
  options.peer_listen = config.peer_listen();
  options.peer_address = config.peer_address();
  if (options.peer_listen.empty()) {
    return options.peer_address.empty() ? absl::OkStatus() : Wrong("peer_address", "is of no use without peer_listen");
  }
  CAIRN_RETURN_IF_ERROR(
      CheckExposed("peer_listen", options.peer_listen, "root_tls", !config.root_tls().ca().empty(), config));
  if (!options.peer_address.empty()) {
    CAIRN_RETURN_IF_ERROR(ValueOf("peer_address", ParseHostPort(options.peer_address)).status());
  }
  CAIRN_ASSIGN_OR_RETURN(const HostPort listen, ValueOf("peer_listen", ParseHostPort(options.peer_listen)));
  if (IsWildcard(listen.host) && options.peer_address.empty()) {
    return Wrong("peer_address", absl::StrCat("is required: other nodes cannot dial ", options.peer_listen));
  }
  if (!config.root_tls().ca().empty() && config.root_tls().ca() == config.tls().client_ca()) {
    return Wrong("root_tls.ca",
                 "is also that of clients, who would pass for nodes on peer_listen: use a CA of its own");
  }
  return absl::OkStatus();
}

absl::Status ResolveGateway(const v1::ServerConfig& config, ServerOptions& options) {
  if (!config.federations().empty()) return Wrong("federations", "belong to the root's configuration");
  if (config.root().empty()) return Wrong("root", "is required: host:port of the root's node_listen");
  options.root = config.root();
  options.node = config.node();
  options.root_tls = {config.root_tls().ca(), config.root_tls().certificate(), config.root_tls().key()};
  CAIRN_RETURN_IF_ERROR(ResolvePeers(config, options));
  return CheckExposed("root", options.root, "root_tls", !config.root_tls().ca().empty(), config);
}

absl::Status CheckSizes(const ServerOptions& options) {
  if (options.memory_budget < kMemoryBudgetMin) {
    return Wrong("memory_budget", absl::StrCat("expected at least ", FormatBytes(kMemoryBudgetMin), ", got ",
                                               FormatBytes(options.memory_budget)));
  }
  if (options.upload_max == 0 || options.upload_max > limits::kPayloadBytesMax) {
    return Wrong("upload_max",
                 absl::StrCat("expected at least 1 byte and at most ", FormatBytes(limits::kPayloadBytesMax), ", got ",
                              FormatBytes(options.upload_max)));
  }
  if (options.workers > limits::kWorkersMax) {
    return Wrong("workers", absl::StrCat("expected at most ", limits::kWorkersMax, ", got ", options.workers));
  }
  if (options.workers > 0 && options.worker_memory < kWorkerMemoryMin) {
    return Wrong("worker_memory", absl::StrCat("expected at least ", FormatBytes(kWorkerMemoryMin), ", got ",
                                               FormatBytes(options.worker_memory)));
  }
  if (options.worker_lease < kWorkerLeaseMin || options.worker_lease > kLeaseTimeMax) {
    return Wrong("worker_lease", absl::StrCat("expected ", absl::FormatDuration(kWorkerLeaseMin), " to ",
                                              absl::FormatDuration(kLeaseTimeMax), ", got ",
                                              absl::FormatDuration(options.worker_lease)));
  }
  return absl::OkStatus();
}

// What clients of other gateways are told of this one.
absl::Status ResolvePlacing(const v1::ServerConfig& config, ServerOptions& options) {
  options.client_address = config.client_address();
  options.zone = config.zone();
  if (!options.client_address.empty() && options.client_address != "off") {
    CAIRN_ASSIGN_OR_RETURN(const HostPort address, ValueOf("client_address", ParseHostPort(options.client_address)));
    if (IsWildcard(address.host) || address.port == 0) {
      return Wrong("client_address", absl::StrCat("clients cannot dial ", options.client_address));
    }
  }
  if (!options.zone.empty()) {
    const absl::Status zone = CheckId("zone", options.zone);
    if (!zone.ok()) return Wrong("zone", zone.message());
  }
  if (config.capacity().empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(options.capacity, ValueOf("capacity", ParseBytes(config.capacity())));
  return options.capacity > 0 ? absl::OkStatus() : Wrong("capacity", "expected at least 1 byte in a second");
}

}  // namespace

void FillServerDefaults(v1::ServerConfig& config) {
  if (config.listen().empty()) config.set_listen("127.0.0.1:7070");
  if (config.metrics_listen().empty()) config.set_metrics_listen("127.0.0.1:7071");
  if (config.durability() == v1::DURABILITY_UNSPECIFIED) config.set_durability(v1::durable);
  if (config.integrity() == v1::INTEGRITY_UNSPECIFIED) {
    config.set_integrity(config.durability() == v1::durable ? v1::sha256 : v1::crc32c);
  }
  if (config.memory_budget().empty()) config.set_memory_budget("512MiB");
  if (config.upload_max().empty()) config.set_upload_max("4GiB");
  if (config.worker_memory().empty()) config.set_worker_memory("1GiB");
  if (config.worker_lease().empty()) config.set_worker_lease("10s");
  if (config.log_level().empty()) config.set_log_level("info");
  for (v1::FederationConfig& federation : *config.mutable_federations()) FillFederationDefaults(federation);
}

absl::Status LoadServerConfig(const std::filesystem::path& path, v1::ServerConfig* config, YamlPlaces* places) {
  CAIRN_RETURN_IF_ERROR(LoadYamlFile(path, config, CheckServerValue, places));
  FillServerDefaults(*config);
  return absl::OkStatus();
}

namespace {

absl::StatusOr<ServerOptions> Resolve(const v1::ServerConfig& config, Role role) {
  CAIRN_RETURN_IF_ERROR(CheckRole(config, role));
  ServerOptions options;
  options.role = role;
  options.listen = config.listen();
  if (role != Role::kRoot) {
    CAIRN_RETURN_IF_ERROR(CheckExposed("listen", config.listen(), "tls.certificate and tls.key",
                                       !config.tls().certificate().empty(), config));
  }
  if (!config.metrics_listen().empty() && config.metrics_listen() != "off") {
    options.metrics_listen = config.metrics_listen();
    CAIRN_RETURN_IF_ERROR(ValueOf("metrics_listen", ParseHostPort(options.metrics_listen)).status());
  }
  if (config.data_dir().empty()) return Wrong("data_dir", "is required: a directory for what must survive");
  options.data_dir = config.data_dir();
  options.durable = config.durability() == v1::durable;
  options.verify_sha256 = config.integrity() == v1::sha256;
  CAIRN_ASSIGN_OR_RETURN(options.memory_budget, ValueOf("memory_budget", ParseBytes(config.memory_budget())));
  CAIRN_ASSIGN_OR_RETURN(options.upload_max, ValueOf("upload_max", ParseBytes(config.upload_max())));
  CAIRN_ASSIGN_OR_RETURN(options.worker_memory, ValueOf("worker_memory", ParseBytes(config.worker_memory())));
  CAIRN_ASSIGN_OR_RETURN(options.worker_lease, ValueOf("worker_lease", ParseDuration(config.worker_lease())));
  options.workers = config.workers();
  options.workers_by_hand = config.workers_by_hand();
  CAIRN_RETURN_IF_ERROR(CheckSizes(options));
  CAIRN_RETURN_IF_ERROR(ResolvePlacing(config, options));
  options.tls = {config.tls().certificate(), config.tls().key(), config.tls().client_ca()};
  options.log_level = config.log_level();
  CAIRN_RETURN_IF_ERROR(role == Role::kGateway ? ResolveGateway(config, options) : ResolveRoot(config, options));
  return options;
}

}  // namespace

absl::StatusOr<ServerOptions> ResolveServerOptions(const v1::ServerConfig& config, Role role,
                                                   const YamlPlaces& places) {
  absl::StatusOr<ServerOptions> options = Resolve(config, role);
  if (!options.ok()) return options::AtPlace(options.status(), places);
  return options;
}

absl::Status FillPublish(const ServerOptions& options, v1::ServerConfig& config) {
  for (int i = 0; i < config.federations_size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(const PublishForm form, PublishFormOf(options.federations[i].method));
    config.mutable_federations(i)->set_publish(ToString(form));
  }
  return absl::OkStatus();
}

}  // namespace cairn
