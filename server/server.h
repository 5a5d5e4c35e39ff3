// A Cairn server, or one of its roles, in one process: store, coordinator and gateway or one of the two, metrics
// endpoint.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/options.h"

namespace cairn {

class Server {
 public:
  // Locks the data directory, recovers what is in it, starts to listen, and then writes the bound addresses to
  // <data_dir>/endpoint, node_endpoint, peer_endpoint and metrics_endpoint ("host:port", a newline; empty: none). A
  // gateway does not wait for its root.
  // UNAVAILABLE: another server has the directory, or an address is in use.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  virtual ~Server() = default;

  virtual std::string address() const = 0;          // Of clients. Empty: none.
  virtual std::string node_address() const = 0;     // Of gateways. Empty: none.
  virtual std::string peer_address() const = 0;     // Of other nodes, as bound. Empty: none.
  virtual std::string metrics_address() const = 0;  // Empty: none.
};

}  // namespace cairn
