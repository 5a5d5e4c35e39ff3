#include "server/metrics/http_endpoint.h"

#include <civetweb.h>

#include <chrono>
#include <future>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

struct Response {
  int code = 200;
  const char* reason = "OK";
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

Response Answer(const HttpHandlers& handlers, absl::string_view path) {
  if (path == "/metrics") return {200, "OK", "text/plain; version=0.0.4; charset=utf-8", handlers.metrics()};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    const absl::Status ready = handlers.ready();
    if (ready.ok()) return {.body = "ready\n"};
    return {.code = 503, .reason = "Service Unavailable", .body = absl::StrCat(ready.message(), "\n")};
  }
  return {.code = 404, .reason = "Not Found", .body = "expected /metrics, /healthz or /readyz\n"};
}

void Write(mg_connection* connection, const Response& response, bool with_body) {
  const std::string head = absl::StrCat(
      "HTTP/1.1 ", response.code, " ", response.reason, "\r\nContent-Type: ", response.type,
      "\r\nContent-Length: ", response.body.size(), "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, response.body.data(), response.body.size());
}

std::string ListeningOn(absl::string_view host, std::uint16_t port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

}  // namespace

struct HttpEndpoint::Server {
  Server(absl::string_view at, HttpHandlers with) : host(at), handlers(std::move(with)) { mg_init_library(0); }
  ~Server() {
    if (context != nullptr) Stop();
    mg_exit_library();
  }

  // Waits for requests in progress. civetweb's accepting thread looks at its stop flag only every 2 s or when somebody
  // connects.
  void Stop() {
    auto stopped = std::async(std::launch::async, [this] { mg_stop(context); });
    while (stopped.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
      char error[64];
      if (mg_connection* wake = mg_connect_client(host.c_str(), port, 0, error, sizeof(error)))
        mg_close_connection(wake);
    }
  }

  static int OnRequest(mg_connection* connection) {
    const mg_request_info& request = *mg_get_request_info(connection);
    const auto& server = *static_cast<const Server*>(request.user_data);
    const absl::string_view method = request.request_method;
    Response response;
    if (method != "GET" && method != "HEAD") {
      response = {.code = 405, .reason = "Method Not Allowed", .body = "expected GET or HEAD\n"};
    } else {
      response = Answer(server.handlers, request.local_uri);
    }
    Write(connection, response, method != "HEAD");
    return response.code;  // Not 0: handled; civetweb never looks for files.
  }

  const std::string host;
  const HttpHandlers handlers;
  std::uint16_t port = 0;  // The bound one.
  mg_context* context = nullptr;
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Server> server) : server_(std::move(server)) {
  mg_server_port bound{};
  if (mg_get_server_ports(server_->context, 1, &bound) == 1) server_->port = static_cast<std::uint16_t>(bound.port);
}

HttpEndpoint::~HttpEndpoint() = default;

std::uint16_t HttpEndpoint::port() const { return server_->port; }

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(absl::string_view host, std::uint16_t port,
                                                                  HttpHandlers handlers) {
  auto server = std::make_unique<Server>(host, std::move(handlers));
  const std::string address = ListeningOn(host, port);
  const char* options[] = {"listening_ports",
                           address.c_str(),
                           "num_threads",
                           "2",
                           "request_timeout_ms",
                           "10000",
                           "enable_keep_alive",
                           "no",
                           "enable_directory_listing",
                           "no",
                           nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = &Server::OnRequest;
  callbacks.log_message = [](const mg_connection*, const char*) { return 1; };  // Not to standard error.
  char text[256] = "";
  unsigned code = 0;
  mg_error_data error{&code, text, sizeof(text)};
  mg_init_data init{&callbacks, server.get(), options};
  server->context = mg_start2(&init, &error);
  if (server->context == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", address, ": ", text));
  }
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(server)));
}

}  // namespace cairn
