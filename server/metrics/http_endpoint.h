// The HTTP side door for machines: /metrics (Prometheus), /healthz (the process answers), /readyz (it can do its work).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

// Both are required.
struct HttpHandlers {
  std::function<std::string()> metrics;  // The body of /metrics.
  std::function<absl::Status()> ready;   // /readyz: OK is 200; otherwise 503 with the status' message as body.
};

// Serves from construction to destruction, GET and HEAD only, on threads of its own: handlers must be thread-safe, and
// live until the destructor returns.
class HttpEndpoint {
 public:
  // `host` is a name or an address ("::1" for IPv6); port 0 picks a free one.
  // UNAVAILABLE: cannot listen there; the message says where and why.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(absl::string_view host, std::uint16_t port,
                                                             HttpHandlers handlers);
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  std::uint16_t port() const;  // The bound one.

 private:
  struct Server;
  explicit HttpEndpoint(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
};

}  // namespace cairn
