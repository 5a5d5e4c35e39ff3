// What a test asks a running server: as a client, as an operator, and with frames made by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "aggregators/testing.h"
#include "client/sdk/client.h"
#include "client/sdk/connection.h"
#include "client/sdk/raw_stream.h"
#include "proto/cairn/v1/federation.pb.h"
#include "wire/frame.h"

namespace cairn::testing {

// Retries fast, and gives up after a while rather than hang.
ClientOptions FastOptions(const std::string& address, const std::string& federation, const std::string& client);
AdapterShape ShapeOf(const std::vector<ModuleSpec>& modules);

absl::StatusOr<v1::RoundInfo> StatusOf(const std::string& address, const std::string& federation);
// Polls until `done`; the last state when it takes too long, which the test's expectation then shows.
absl::StatusOr<v1::RoundInfo> AwaitStatus(const std::string& address, const std::string& federation,
                                          const std::function<bool(const v1::RoundInfo&)>& done);

// The whole answer of the server's HTTP endpoint.
absl::StatusOr<std::string> HttpGet(const std::string& address, const std::string& path);
// The value of one series in /metrics, such as cairn_round{federation="demo"}; 0 when it is not there.
double MetricValue(const std::string& metrics_address, const std::string& series);

// A header that says the truth about an update.
v1::PushHeader HeaderFor(const ClientOptions& options, std::uint64_t round, const UpdateBytes& update,
                         std::uint64_t examples = 10);

// A Push stream made by hand, so that it can be wrong.
class RawPush {
 public:
  explicit RawPush(sdk::Connection& connection) : stream_(connection, "/cairn.v1.Federation/Push") {}
  bool Message(absl::string_view bytes);  // Not necessarily a frame.
  bool Header(const v1::PushHeader& header);
  bool Chunks(absl::string_view payload);
  bool Trailer(const std::string& sha256);
  // What the server answers. Nothing else may follow.
  absl::StatusOr<v1::Receipt> Finish();

 private:
  sdk::RawStream stream_;
};

std::unique_ptr<sdk::Connection> Connect(const ClientOptions& options);
// One whole stream: header, payload, trailer with the header's sha256.
absl::StatusOr<v1::Receipt> PushWhole(sdk::Connection& connection, const v1::PushHeader& header,
                                      absl::string_view payload);
absl::StatusOr<v1::ResumePointReply> ResumePoint(sdk::Connection& connection, const v1::PushHeader& header);
// Waits until the server holds `bytes` of the upload; the last offset when it takes too long.
std::uint64_t AwaitReceived(sdk::Connection& connection, const v1::PushHeader& header, std::uint64_t bytes);

}  // namespace cairn::testing
