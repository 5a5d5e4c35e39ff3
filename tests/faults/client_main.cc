// faults_client ADDRESS INDEX DIRECTORY: a trainer whose update is a pure function of the client, the round and the
// bytes of the version it starts from, so that any number of interrupted attempts must lead to the same federation.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/client.h"
#include "tests/faults/scenario.h"
#include "tests/integration/remote.h"

namespace cairn::faults {
namespace {

// From the version's bytes, "" before the first.
std::uint64_t SeedOf(std::size_t client, std::uint64_t round, const std::string& version) {
  Sha256 hash;
  hash.Update(absl::StrCat(client, "/", round, "/"));
  hash.Update(version);
  const Sha256Digest digest = hash.Finish();
  std::uint64_t seed = 0;
  std::memcpy(&seed, digest.data(), sizeof(seed));
  return seed;
}

absl::StatusOr<std::string> PullVersion(Client& client, const Round& round, const std::filesystem::path& directory) {
  if (round.version == 0) return std::string();
  CAIRN_RETURN_IF_ERROR(client.PullStart(round, round.version - 1, directory).status());
  return ReadFile(directory / kAdapterModelFile, limits::kGiB);
}

absl::Status TakePart(Client& client, const Round& round, std::size_t index, const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const std::string version, PullVersion(client, round, directory));
  const testing::UpdateBytes update = testing::MakeUpdateBytes(SeedOf(index, round.number, version), Modules(),
                                                               kRanks[index], 2.0 * kRanks[index], DType::kF32);
  return client.PushBytes(round, update.config_json, update.safetensors, 100 + 10 * index).status();
}

absl::Status Run(const std::string& address, std::size_t index, const std::filesystem::path& directory) {
  const ClientOptions options = testing::FastOptions(address, kFederation, ClientName(index));
  CAIRN_ASSIGN_OR_RETURN(const auto client, Client::Join(options, testing::ShapeOf(Modules())));
  while (true) {
    const auto round = client->AwaitRound();
    if (absl::IsOutOfRange(round.status())) return absl::OkStatus();
    CAIRN_RETURN_IF_ERROR(round.status());
    CAIRN_RETURN_IF_ERROR(TakePart(*client, *round, index, directory));
  }
}

}  // namespace
}  // namespace cairn::faults

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s ADDRESS INDEX DIRECTORY\n", argv[0]);
    return 2;
  }
  const absl::Status status = cairn::faults::Run(argv[1], std::strtoul(argv[2], nullptr, 10), argv[3]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "client %s: %s\n", argv[2], status.ToString().c_str());
  return 1;
}
