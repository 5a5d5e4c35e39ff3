#include "server/options.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aggregators/registry.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config/address.h"
#include "config/server_values.h"
#include "config/units.h"
#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"

namespace cairn {
namespace {

absl::Status Wrong(absl::string_view key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("configuration: ", key, ": ", what));
}

// A value that must be there and parse; the key goes in front of what is wrong with it.
template <typename T>
absl::StatusOr<T> ValueOf(const std::string& key, absl::StatusOr<T> value) {
  if (value.ok()) return value;
  return Wrong(key, value.status().message());
}

void FillFederation(v1::FederationConfig& federation) {
  if (federation.rule().empty()) federation.set_rule("stack");
  if (federation.progress_timeout().empty()) federation.set_progress_timeout("10m");
  v1::Clients& clients = *federation.mutable_clients();
  if (clients.min() == 0) clients.set_min(1);
  if (clients.target() == 0) clients.set_target(clients.min());
}

void FillDefaults(v1::ServerConfig& config) {
  if (config.listen().empty()) config.set_listen("127.0.0.1:7070");
  if (config.metrics_listen().empty()) config.set_metrics_listen("127.0.0.1:7071");
  if (config.durability() == v1::DURABILITY_UNSPECIFIED) config.set_durability(v1::durable);
  if (config.integrity() == v1::INTEGRITY_UNSPECIFIED) {
    config.set_integrity(config.durability() == v1::durable ? v1::sha256 : v1::crc32c);
  }
  if (config.memory_budget().empty()) config.set_memory_budget("512MiB");
  if (config.upload_max().empty()) config.set_upload_max("4GiB");
  if (config.log_level().empty()) config.set_log_level("info");
  for (v1::FederationConfig& federation : *config.mutable_federations()) FillFederation(federation);
}

absl::StatusOr<AdapterSpec> SpecFrom(const v1::FederationConfig& config, const std::string& key) {
  AdapterSpec spec{config.base_model(), {}};
  for (const v1::ModuleConfig& module : config.modules()) {
    spec.modules.push_back({module.name(), module.d_in(), module.d_out()});
  }
  std::sort(spec.modules.begin(), spec.modules.end(),
            [](const ModuleSpec& a, const ModuleSpec& b) { return a.name < b.name; });
  if (absl::Status status = CheckSpec(spec); !status.ok()) return Wrong(key + ".modules", status.message());
  return spec;
}

absl::Status CheckRule(const std::string& key, const std::string& rule) {
  if (MakeAggregator(rule).ok()) return absl::OkStatus();
  return Wrong(key + ".rule",
               absl::StrCat("expected one of ", absl::StrJoin(AggregatorNames(), ", "), ", got \"", rule, "\""));
}

absl::StatusOr<FederationOptions> FederationFrom(const v1::FederationConfig& config, const std::string& key) {
  FederationOptions options;
  options.name = config.name();
  if (absl::Status status = CheckId("name", options.name); !status.ok()) return Wrong(key + ".name", status.message());
  options.rule = config.rule();
  options.base_model = config.base_model();
  CAIRN_RETURN_IF_ERROR(CheckRule(key, options.rule));
  options.policy.rounds = config.rounds();
  options.policy.clients_min = config.clients().min();
  options.policy.clients_target = config.clients().target();
  if (options.policy.clients_target < options.policy.clients_min) {
    return Wrong(key + ".clients.target", absl::StrCat("expected at least clients.min, ", options.policy.clients_min,
                                                       ", got ", options.policy.clients_target));
  }
  if (options.policy.clients_target > limits::kCohortClientsMax) {
    return Wrong(key + ".clients.target", absl::StrCat("expected at most ", limits::kCohortClientsMax));
  }
  if (!config.deadline().empty()) {
    CAIRN_ASSIGN_OR_RETURN(options.policy.deadline, ValueOf(key + ".deadline", ParseDuration(config.deadline())));
  }
  CAIRN_ASSIGN_OR_RETURN(options.policy.progress_timeout,
                         ValueOf(key + ".progress_timeout", ParseDuration(config.progress_timeout())));
  if (!config.modules().empty()) {
    CAIRN_ASSIGN_OR_RETURN(options.spec, SpecFrom(config, key));
  }
  return options;
}

absl::Status CheckListen(const v1::ServerConfig& config) {
  CAIRN_ASSIGN_OR_RETURN(HostPort address, ValueOf("listen", ParseHostPort(config.listen())));
  if (IsLoopback(address.host) || !config.tls().certificate().empty() || config.insecure_plaintext()) {
    return absl::OkStatus();
  }
  return Wrong("listen", absl::StrCat(config.listen(),
                                      " is reachable from other machines without TLS: set tls.certificate and tls.key, "
                                      "or insecure_plaintext: true if the network encrypts by itself"));
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
  return absl::OkStatus();
}

}  // namespace

absl::Status LoadServerConfig(const std::filesystem::path& path, v1::ServerConfig* config) {
  CAIRN_RETURN_IF_ERROR(LoadYamlFile(path, config, CheckServerValue));
  FillDefaults(*config);
  return absl::OkStatus();
}

absl::StatusOr<ServerOptions> ResolveServerOptions(const v1::ServerConfig& config) {
  ServerOptions options;
  options.listen = config.listen();
  CAIRN_RETURN_IF_ERROR(CheckListen(config));
  if (config.metrics_listen() != "off") options.metrics_listen = config.metrics_listen();
  if (config.data_dir().empty()) return Wrong("data_dir", "is required: a directory for what must survive");
  options.data_dir = config.data_dir();
  options.durable = config.durability() == v1::durable;
  options.verify_sha256 = config.integrity() == v1::sha256;
  CAIRN_ASSIGN_OR_RETURN(options.memory_budget, ValueOf("memory_budget", ParseBytes(config.memory_budget())));
  CAIRN_ASSIGN_OR_RETURN(options.upload_max, ValueOf("upload_max", ParseBytes(config.upload_max())));
  CAIRN_RETURN_IF_ERROR(CheckSizes(options));
  options.tls = {config.tls().certificate(), config.tls().key(), config.tls().client_ca()};
  options.log_level = config.log_level();
  if (config.federations().empty()) return Wrong("federations", "at least one is required");
  std::set<std::string> names;
  for (int i = 0; i < config.federations_size(); ++i) {
    const std::string key = absl::StrCat("federations[", i, "]");
    CAIRN_ASSIGN_OR_RETURN(FederationOptions federation, FederationFrom(config.federations(i), key));
    if (!names.insert(federation.name).second) {
      return Wrong(key + ".name", absl::StrCat("\"", federation.name, "\" is there twice"));
    }
    options.federations.push_back(std::move(federation));
  }
  return options;
}

}  // namespace cairn
