// One root and two gateways, each a process with a data directory of its own, and clients on both.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/sdk/client.h"
#include "proto/cairn/v1/federation.pb.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {

// Of the parties every other one is a client of n2: of ada, bob and cyd that is bob.
class NodesFixture : public FederationFixture {
 protected:
  // `n1`, `n2`: lines of the gateways' configurations.
  void StartNodes(const std::string& federation, const std::string& n1 = "", const std::string& n2 = "");
  // StartNodes, and everybody joins.
  void ServeNodes(const std::string& federation, const std::string& n1 = "", const std::string& n2 = "");
  std::unique_ptr<ServerProcess> Gateway(const std::string& name, const std::string& host, const std::string& root,
                                         const std::string& more = "");
  // With a zone, updates go where the planner says; else to `gateway`.
  absl::Status Join(const std::string& name, const ServerProcess& gateway, const std::string& zone = "");
  // UpdateOf the client in the round, which must be open.
  absl::Status Push(const std::string& name, std::uint64_t round = 1);
  absl::StatusOr<v1::RoundInfo> Await(const std::function<bool(const v1::RoundInfo&)>& done);
  static void AwaitAttended(const ServerProcess& gateway);
  // After a restart of the root: its gateways connect again a little later, and until then say that it is away.
  void AwaitRootAtNodes();
  // What a gateway says of itself until `text` is in it, or for too long.
  static std::string AwaitReadiness(const ServerProcess& gateway, const std::string& text);
  absl::StatusOr<v1::RoundInfo> AwaitVersion(std::uint64_t version);

  // What a single `cairn serve` publishes of the same updates.
  std::string BytesOfOneServer(std::uint64_t rounds);
  static std::string BytesOf(const std::filesystem::path& directory);
  // How many updates a process keeps.
  static std::ptrdiff_t Objects(const ServerProcess& process);
  static void AwaitNoObjects(const ServerProcess& process);
  // Bytes that nodes brought to the root: "update", "sum" or "shard".
  double Brought(const std::string& kind) const;

  const std::vector<Party>* parties_ = &kMixed;
  std::string federation_;
  std::unique_ptr<ServerProcess> root_, n1_, n2_;
  std::map<std::string, std::unique_ptr<Client>> of_;
};

}  // namespace cairn::testing
