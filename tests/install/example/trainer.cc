// The smallest trainer: contributes one adapter directory to one round.
#include <cairn/client.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace {

constexpr char kUsage[] = R"(usage: trainer SERVER FEDERATION CLIENT ADAPTER_DIR EXAMPLES

Joins FEDERATION at SERVER (host:port) as CLIENT, waits for a round, uploads the PEFT adapter in ADAPTER_DIR, which was
trained on EXAMPLES examples, and leaves.

  trainer 127.0.0.1:7070 licenses client-1 my_adapter/ 1200
)";

absl::Status Contribute(const cairn::ClientOptions& options, const std::string& directory, std::uint64_t examples) {
  auto client = cairn::Client::Join(options);
  if (!client.ok()) return client.status();
  const auto round = (*client)->AwaitRound();
  if (!round.ok()) return round.status();
  const auto receipt = (*client)->Push(*round, directory, examples, [](std::uint64_t done, std::uint64_t total) {
    std::cerr << "\r" << done << " of " << total << " bytes";
  });
  if (!receipt.ok()) return receipt.status();
  std::cout << "round " << round->number << " holds " << receipt->sha256 << "\n";
  return (*client)->Leave();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--help") {
    std::cout << kUsage;
    return EXIT_SUCCESS;
  }
  if (argc != 6) {
    std::cerr << kUsage;
    return 2;
  }
  cairn::ClientOptions options;
  options.server = argv[1];
  options.federation = argv[2];
  options.client = argv[3];
  options.on_retry = [](const absl::Status& failure, absl::Duration pause) {
    std::cerr << failure << "; trying again in " << pause << "\n";
  };
  const absl::Status status = Contribute(options, argv[4], std::strtoull(argv[5], nullptr, 10));
  if (!status.ok()) std::cerr << "trainer: " << status << "\n";
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
