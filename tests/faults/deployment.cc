#include "tests/faults/deployment.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tests/faults/world.h"

namespace cairn::faults {

Deployment::Deployment(const std::filesystem::path& directory, const Topology& topology) {
  std::mt19937_64 random(topology.seed);
  const auto workers = [&] { return topology.workers.value_or(static_cast<int>(random() % (kWorkersMost + 1))); };
  const std::string config = ProcessConfig(topology.durable), federations = FederationsConfig(topology.nodes);
  if (topology.nodes == 0) {
    servers_.push_back(std::make_unique<FaultyServer>(ServerRole{}, directory, config + federations, workers()));
    return;
  }
  const bool reads = topology.reads.value_or(random() % 4 != 0);  // Otherwise the root has updates fetched.
  const std::string root = absl::StrCat("127.0.0.1:", testing::FreePort());
  servers_.push_back(std::make_unique<FaultyServer>(
      ServerRole{.name = "root", .command = {"serve", "--role", "root"}}, directory / "root",
      absl::StrCat(config, "node_listen: ", root, "\n", federations), workers()));
  for (std::size_t i = 1; i <= topology.nodes; ++i) {
    const std::string name = absl::StrCat("n", i), host = absl::StrCat("127.0.0.", i + 1);
    const std::string peer = reads ? absl::StrCat("peer_listen: ", host, ":0\n") : "";
    servers_.push_back(std::make_unique<FaultyServer>(
        ServerRole{.name = name, .command = {"gateway"}, .host = host, .node_dir = "workers"}, directory / name,
        absl::StrCat(config, "root: ", root, "\nnode: ", name, "\n", peer), workers()));
  }
}

absl::Status Deployment::Start() {
  for (const auto& server : servers_) CAIRN_RETURN_IF_ERROR(server->Start());
  return absl::OkStatus();
}

absl::Status Deployment::Tend() {
  for (const auto& server : servers_) CAIRN_RETURN_IF_ERROR(server->Tend());
  return absl::OkStatus();
}

absl::Status Deployment::AwaitReady() {
  for (const auto& server : servers_) CAIRN_RETURN_IF_ERROR(server->AwaitReady());
  return absl::OkStatus();
}

absl::Status Deployment::Stop() {
  CAIRN_RETURN_IF_ERROR(AwaitReady());
  for (const auto& server : servers_) CAIRN_RETURN_IF_ERROR(server->Stop());
  return absl::OkStatus();
}

std::uint64_t Deployment::generation() const {
  std::uint64_t sum = 0;
  for (const auto& server : servers_) sum += server->generation();
  return sum;
}

}  // namespace cairn::faults
