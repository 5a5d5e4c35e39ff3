// A gRPC server: the clients' Federation service, others or both, health and reflection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/gateway/context.h"
#include "server/gateway/credentials.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace cairn {

struct GatewayOptions {
  std::string listen;  // host:port; port 0 picks a free one.
  TlsFiles tls;
  std::uint64_t network_bytes_max = 0;  // What gRPC may buffer, all connections together.
  std::uint64_t upload_bytes_max = 0;
  bool verify_sha256 = true;
  int streams_per_connection = 64;  // Further ones wait at the client.
  // False: whoever may connect may speak for every client, as nodes do.
  bool check_identity = true;
  // A connection that has shown no sign of life for so long is asked for one, and is dead after as long again.
  std::chrono::seconds keepalive{20};
};

class Gateway {
 public:
  // Makes another service for the same address. Everything in the context outlives it.
  using MakeService = std::function<std::unique_ptr<grpc::Service>(const GatewayContext&)>;

  // `root` null: without the Federation service, for what `more` makes alone. INVALID_ARGUMENT (TLS files), UNAVAILABLE
  // (cannot listen there).
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(const GatewayOptions& options, Root* root, Store* store,
                                                        Metrics* metrics, const std::vector<MakeService>& more = {});
  ~Gateway();  // Ends every stream.

  std::string address() const { return address_; }  // host:port as bound.

 private:
  Gateway(const GatewayOptions& options, Root* root, Store* store, Metrics* metrics);

  const GatewayContext context_;  // Before the threads that look at it.
  WorkerPool workers_{4};
  StreamWatch watch_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace cairn
