// One client of a server under test.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/ingest_payload.h"
#include "client/sdk/connection.h"

namespace cairn::bench {

class Uploader {
 public:
  // Opens a connection of its own.
  static absl::StatusOr<std::unique_ptr<Uploader>> Connect(const std::string& address, const std::string& federation,
                                                           const std::string& client);
  // Another client, over the same connection.
  std::unique_ptr<Uploader> Beside(const std::string& client) const;
  absl::Status Join();
  // The number of the open round, once there is one without a contribution of this client.
  absl::StatusOr<std::uint64_t> AwaitRound();

  // The frames of an upload and the answer, and nothing else: the digest is known, no resume point is asked for. Works
  // against the sink too.
  absl::Status Stream(std::uint64_t round, const std::string& adapter_config, const Payload& payload);
  // What Client::Push does with a file: digest, resume point, stream, receipt.
  absl::Status Push(std::uint64_t round, const std::string& adapter_config,
                    const std::shared_ptr<const Payload>& payload);

 private:
  Uploader(ClientOptions options, std::shared_ptr<grpc::Channel> channel);
  std::unique_ptr<sdk::Connection> connection_;
};

}  // namespace cairn::bench
