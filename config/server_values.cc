#include "config/server_values.h"

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "config/address.h"
#include "config/units.h"

namespace cairn {
namespace {

using Check = absl::Status (*)(absl::string_view value);

absl::Status CheckAddress(absl::string_view value) { return ParseHostPort(value).status(); }
absl::Status CheckAddressOrOff(absl::string_view value) {
  return value == "off" ? absl::OkStatus() : CheckAddress(value);
}
absl::Status CheckBytes(absl::string_view value) { return ParseBytes(value).status(); }
absl::Status CheckDuration(absl::string_view value) { return ParseDuration(value).status(); }
absl::Status CheckName(absl::string_view value) { return CheckId("federation name", value); }
absl::Status CheckNodeName(absl::string_view value) { return CheckId("node", value); }
absl::Status CheckZone(absl::string_view value) { return CheckId("zone", value); }
absl::Status CheckLogLevel(absl::string_view value) {
  for (const absl::string_view level : {"debug", "info", "warn", "error"}) {
    if (value == level) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("expected debug, info, warn or error, got \"", value, "\""));
}

struct FieldCheck {
  absl::string_view field;
  Check check;
};

constexpr FieldCheck kChecks[] = {
    {"cairn.v1.ServerConfig.listen", CheckAddress},
    {"cairn.v1.ServerConfig.metrics_listen", CheckAddressOrOff},
    {"cairn.v1.ServerConfig.node_listen", CheckAddress},
    {"cairn.v1.ServerConfig.root", CheckAddress},
    {"cairn.v1.ServerConfig.peer_listen", CheckAddress},
    {"cairn.v1.ServerConfig.peer_address", CheckAddress},
    {"cairn.v1.ServerConfig.node", CheckNodeName},
    {"cairn.v1.ServerConfig.client_address", CheckAddressOrOff},
    {"cairn.v1.ServerConfig.zone", CheckZone},
    {"cairn.v1.ServerConfig.capacity", CheckBytes},
    {"cairn.v1.ServerConfig.memory_budget", CheckBytes},
    {"cairn.v1.ServerConfig.upload_max", CheckBytes},
    {"cairn.v1.ServerConfig.worker_memory", CheckBytes},
    {"cairn.v1.ServerConfig.log_level", CheckLogLevel},
    {"cairn.v1.FederationConfig.name", CheckName},
    {"cairn.v1.FederationConfig.deadline", CheckDuration},
    {"cairn.v1.FederationConfig.progress_timeout", CheckDuration},
    {"cairn.v1.FederationConfig.node_timeout", CheckDuration},
};

}  // namespace

absl::Status CheckServerValue(const google::protobuf::FieldDescriptor& field, absl::string_view value) {
  for (const FieldCheck& entry : kChecks) {
    if (entry.field == field.full_name()) return entry.check(value);
  }
  return absl::OkStatus();
}

}  // namespace cairn
