#include "server/metrics/http_endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/files.h"

namespace cairn {
namespace {

// A request that is not there, or an answer that is not taken, after this long ends its connection.
constexpr absl::Duration kExchangeMax = absl::Seconds(10);
constexpr std::size_t kRequestBytesMax = 8192;
constexpr int kThreads = 2;  // So that one slow peer does not keep a health check waiting.

struct Response {
  int code = 200;
  const char* reason = "OK";
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

Response AnswerPath(const HttpHandlers& handlers, absl::string_view path) {
  if (path == "/metrics") return {200, "OK", "text/plain; version=0.0.4; charset=utf-8", handlers.metrics()};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    const absl::Status ready = handlers.ready();
    if (ready.ok()) return {.body = "ready\n"};
    return {.code = 503, .reason = "Service Unavailable", .body = absl::StrCat(ready.message(), "\n")};
  }
  return {.code = 404, .reason = "Not Found", .body = "expected /metrics, /healthz or /readyz\n"};
}

// The whole answer to a request of which `head` is everything up to the empty line.
std::string Answer(const HttpHandlers& handlers, absl::string_view head) {
  const std::vector<absl::string_view> words = absl::StrSplit(head.substr(0, head.find("\r\n")), ' ');
  Response response{.code = 400, .reason = "Bad Request", .body = "expected METHOD PATH HTTP/1.x\n"};
  const bool is_head = words[0] == "HEAD";
  if (words.size() == 3 && absl::StartsWith(words[2], "HTTP/1.")) {
    const absl::string_view path = words[1].substr(0, words[1].find('?'));
    response = words[0] == "GET" || is_head
                   ? AnswerPath(handlers, path)
                   : Response{.code = 405, .reason = "Method Not Allowed", .body = "expected GET or HEAD\n"};
  }
  return absl::StrCat("HTTP/1.1 ", response.code, " ", response.reason, "\r\nContent-Type: ", response.type,
                      "\r\nContent-Length: ", response.body.size(),
                      "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n", is_head ? "" : response.body);
}

std::string ListeningOn(absl::string_view host, std::uint16_t port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

std::uint16_t BoundPort(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  const bool six = address.ss_family == AF_INET6;
  return ntohs(six ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

absl::StatusOr<UniqueFd> ListenAt(const addrinfo& at) {
  UniqueFd fd(socket(at.ai_family, at.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at.ai_protocol));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), at.ai_addr, at.ai_addrlen) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
    return absl::UnavailableError(std::strerror(errno));
  }
  return fd;
}

// At the first address of the host that can be had.
absl::StatusOr<UniqueFd> Listen(absl::string_view host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(std::string(host).c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (code != 0) return absl::UnavailableError(gai_strerror(code));
  absl::StatusOr<UniqueFd> fd = absl::UnavailableError("no address");
  for (const addrinfo* at = found; at != nullptr && !fd.ok(); at = at->ai_next) fd = ListenAt(*at);
  freeaddrinfo(found);
  return fd;
}

}  // namespace

struct HttpEndpoint::Server {
  ~Server() {
    const std::uint64_t one = 1;
    if (stop) [[maybe_unused]]
      const ssize_t written = write(stop.get(), &one, sizeof(one));
    for (std::thread& thread : threads) {
      if (thread.joinable()) thread.join();
    }
  }

  void Loop() {
    while (Await(listener.get(), POLLIN, absl::InfiniteFuture())) {
      const UniqueFd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (connection) Serve(connection.get());  // Else the other thread has it, or the peer has gone.
    }
  }

  // False when the server stops, or when it is late.
  bool Await(int fd, short events, absl::Time until) const {
    const absl::Duration left = until - absl::Now();
    const int milliseconds = until == absl::InfiniteFuture() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(left));
    if (until != absl::InfiniteFuture() && left <= absl::ZeroDuration()) return false;
    std::array<pollfd, 2> waits = {{{fd, events, 0}, {stop.get(), POLLIN, 0}}};
    const int ready = poll(waits.data(), waits.size(), milliseconds);
    if (ready < 0 && errno == EINTR) return true;
    return ready > 0 && waits[1].revents == 0;
  }

  void Serve(int fd) const {
    const absl::Time until = absl::Now() + kExchangeMax;
    std::string request;
    std::size_t end;
    while ((end = request.find("\r\n\r\n")) == std::string::npos) {
      if (request.size() >= kRequestBytesMax || !ReadSome(fd, until, request)) return;
    }
    const std::string answer = Answer(handlers, absl::string_view(request).substr(0, end));
    for (absl::string_view rest = answer; !rest.empty();) {
      if (!Await(fd, POLLOUT, until)) return;
      const ssize_t sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return;
      if (sent > 0) rest.remove_prefix(sent);
    }
  }

  bool ReadSome(int fd, absl::Time until, std::string& request) const {
    if (!Await(fd, POLLIN, until)) return false;
    std::array<char, 2048> buffer;
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    request.append(buffer.data(), got);
    return got > 0;
  }

  HttpHandlers handlers;
  UniqueFd listener;
  UniqueFd stop;  // Readable, once and for all, when the threads shall end.
  std::array<std::thread, kThreads> threads;
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Server> server) : server_(std::move(server)) {}

HttpEndpoint::~HttpEndpoint() = default;

std::uint16_t HttpEndpoint::port() const { return BoundPort(server_->listener.get()); }

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(absl::string_view host, std::uint16_t port,
                                                                  HttpHandlers handlers) {
  absl::StatusOr<UniqueFd> listener = Listen(host, port);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on ", ListeningOn(host, port), ": ", listener.status().message()));
  }
  auto server = std::make_unique<Server>();
  server->handlers = std::move(handlers);
  server->listener = *std::move(listener);
  server->stop = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!server->stop) return absl::UnavailableError(absl::StrCat("cannot serve metrics: ", std::strerror(errno)));
  for (std::thread& thread : server->threads) thread = std::thread([raw = server.get()] { raw->Loop(); });
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(server)));
}

}  // namespace cairn
