#include "server/metrics/http_endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"

namespace cairn {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The whole answer to `request` over a real socket.
std::string Exchange(std::uint16_t port, const std::string& request) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return "cannot connect";
  if (write(fd.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) return "cannot write";
  std::string answer;
  char buffer[4096];
  for (ssize_t got; (got = read(fd.get(), buffer, sizeof(buffer))) > 0;) answer.append(buffer, got);
  return answer;
}

std::string Get(std::uint16_t port, const std::string& path, const char* method = "GET") {
  return Exchange(port, absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
}

class HttpEndpointTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = HttpEndpoint::Start(
        "127.0.0.1", 0,
        {.metrics = [] { return std::string("cairn_x 1\n"); },
         .ready = [this] { return ready_ ? absl::OkStatus() : absl::UnavailableError("recovering round 3"); }});
    ASSERT_TRUE(started.ok()) << started.status();
    endpoint_ = *std::move(started);
  }
  std::atomic<bool> ready_{true};
  std::unique_ptr<HttpEndpoint> endpoint_;
};

TEST_F(HttpEndpointTest, ServesMetrics) {
  ASSERT_NE(endpoint_->port(), 0);
  const std::string answer = Get(endpoint_->port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\ncairn_x 1\n"));
}

TEST_F(HttpEndpointTest, ReadinessFollowsTheCallback) {
  EXPECT_THAT(Get(endpoint_->port(), "/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  ready_ = false;
  const std::string answer = Get(endpoint_->port(), "/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, EndsWith("recovering round 3\n"));
  EXPECT_THAT(Get(endpoint_->port(), "/healthz"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpEndpointTest, RefusesOtherPathsAndMethods) {
  EXPECT_THAT(Get(endpoint_->port(), "/etc/passwd"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get(endpoint_->port(), "/"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get(endpoint_->port(), "/metrics", "POST"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Exchange(endpoint_->port(), "nonsense\r\n\r\n"), HasSubstr(" 400 Bad Request\r\n"));
}

TEST_F(HttpEndpointTest, HeadHasNoBody) {
  const std::string answer = Get(endpoint_->port(), "/metrics", "HEAD");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

UniqueFd Connect(std::uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

TEST_F(HttpEndpointTest, APeerThatSaysNothingKeepsNobodyWaiting) {
  const UniqueFd silent = Connect(endpoint_->port());
  const UniqueFd half = Connect(endpoint_->port());
  ASSERT_EQ(write(half.get(), "GET /me", 7), 7);
  const auto before = std::chrono::steady_clock::now();
  endpoint_.reset();  // Although both threads have a peer that does not go on.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST_F(HttpEndpointTest, ARequestMayArriveInPieces) {
  const UniqueFd silent = Connect(endpoint_->port()), peer = Connect(endpoint_->port());
  for (const char* piece : {"GET /hea", "lthz?verbose HTTP/1.0\r", "\nHost: x\r\n\r", "\n"}) {
    ASSERT_GT(write(peer.get(), piece, strlen(piece)), 0);
  }
  char answer[16] = "";
  ASSERT_GT(read(peer.get(), answer, sizeof(answer) - 1), 0);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpEndpointTest, ARequestWithoutEndIsCutOff) {
  const std::string endless = "GET /metrics HTTP/1.1\r\nX: " + std::string(8192, 'x');
  EXPECT_EQ(Exchange(endpoint_->port(), endless), "");
}

TEST_F(HttpEndpointTest, SaysWhyItCannotListen) {
  const auto second = HttpEndpoint::Start("127.0.0.1", endpoint_->port(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr(absl::StrCat("127.0.0.1:", endpoint_->port())));
}

TEST_F(HttpEndpointTest, ClosesThePortAtTheEnd) {
  const std::uint16_t port = endpoint_->port();
  endpoint_.reset();
  EXPECT_EQ(Get(port, "/healthz"), "cannot connect");
}

}  // namespace
}  // namespace cairn
