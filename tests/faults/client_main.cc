// faults_client push ADDRESS FEDERATION CLIENT ROUND: sends one update of the small federations (tests/faults/world.h).
//
// faults_client ADDRESS INDEX RANK DIRECTORY: a trainer whose update is a pure function of the client, the round and
// the bytes of the version it starts from, so that any number of interrupted attempts must lead to the same federation.
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
#include "tests/faults/world.h"
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

// Every third time as who has missed rounds, and pulls all that was learned instead of what the last round added.
bool CatchesUp(std::size_t client, std::uint64_t round) { return (client + round) % 3 == 0; }

absl::StatusOr<std::string> PullVersion(Client& client, const Round& round, std::size_t index,
                                        const std::filesystem::path& directory) {
  if (round.version == 0) return std::string();
  const bool catches_up = CatchesUp(index, round.number);
  CAIRN_ASSIGN_OR_RETURN(const auto form,
                         client.PullStart(round, catches_up ? "another" : round.previous_sha256, directory));
  const bool all = catches_up || round.start == StartMode::kWarm;
  if (form != (all ? Form::kAdapter : Form::kDelta)) return absl::InternalError("pulled the wrong form");
  return ReadFile(directory / kAdapterModelFile, limits::kGiB);
}

struct Trainer {
  std::size_t index = 0;
  std::int64_t rank = 0;
  std::filesystem::path directory;
};

absl::Status TakePart(Client& client, const Round& round, const Trainer& trainer) {
  CAIRN_ASSIGN_OR_RETURN(const std::string version, PullVersion(client, round, trainer.index, trainer.directory));
  const testing::UpdateBytes update = testing::MakeUpdateBytes(SeedOf(trainer.index, round.number, version), Modules(),
                                                               trainer.rank, 2.0 * trainer.rank, DType::kF32);
  return client.PushBytes(round, update.config_json, update.safetensors, 100 + 10 * trainer.index).status();
}

absl::Status Run(const std::string& address, const Trainer& trainer) {
  const ClientOptions options = testing::FastOptions(address, kFederation, ClientName(trainer.index));
  CAIRN_ASSIGN_OR_RETURN(const auto client, Client::Join(options, testing::ShapeOf(Modules())));
  while (true) {
    const auto round = client->AwaitRound();
    if (absl::IsOutOfRange(round.status())) return absl::OkStatus();
    CAIRN_RETURN_IF_ERROR(round.status());
    CAIRN_RETURN_IF_ERROR(TakePart(*client, *round, trainer));
  }
}

// It may well be killed on the way, or come too late.
absl::Status PushSmall(const std::string& address, std::size_t federation, std::size_t client, std::uint64_t number) {
  ClientOptions options = testing::FastOptions(address, kSmallFederations.at(federation).name, SmallClient(client));
  options.follow_placement = false;
  CAIRN_ASSIGN_OR_RETURN(const auto sdk, Client::Join(options, {}));
  const testing::UpdateBytes update = SmallUpdate(federation, client, number);
  Round round;
  round.number = number;
  return sdk->PushBytes(round, update.config_json, update.safetensors, ExamplesOf(client, number)).status();
}

}  // namespace
}  // namespace cairn::faults

int main(int argc, char** argv) {
  const auto number = [&](int i) { return std::strtoul(argv[i], nullptr, 10); };
  if (argc == 6 && std::string(argv[1]) == "push") {
    return cairn::faults::PushSmall(argv[2], number(3), number(4), number(5)).ok() ? 0 : 1;
  }
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s ADDRESS INDEX RANK DIRECTORY\n", argv[0]);
    return 2;
  }
  const absl::Status status =
      cairn::faults::Run(argv[1], {std::strtoul(argv[2], nullptr, 10), std::strtol(argv[3], nullptr, 10), argv[4]});
  if (status.ok()) return 0;
  std::fprintf(stderr, "client %s: %s\n", argv[2], status.ToString().c_str());
  return 1;
}
