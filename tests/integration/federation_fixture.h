// A server with federations of a few parties whose updates are known, so that what it publishes can be computed by
// hand.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adapter/lora.h"
#include "aggregators/kernels/reference.h"
#include "aggregators/testing.h"
#include "base/test_directory.h"
#include "client/sdk/client.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {

inline const std::vector<ModuleSpec> kModules = {{"block.attn.q", 12, 8}, {"block.mlp.up", 8, 20}};

struct Party {
  std::string name;
  std::int64_t rank;
  double alpha;
  std::uint64_t examples;
};
inline const std::vector<Party> kMixed = {{"ada", 8, 16, 100}, {"bob", 4, 4, 60}, {"cyd", 2, 6, 40}};
inline const std::vector<Party> kEqual = {{"ada", 4, 8, 100}, {"bob", 4, 8, 60}, {"cyd", 4, 8, 40}};

// The update of parties[i] in a round.
InMemoryUpdate UpdateOf(const std::vector<Party>& parties, std::size_t i, std::uint64_t round);

// What the slow twins are given for one module and these rounds.
std::vector<kernels::reference::Update> References(const std::vector<Party>& parties, std::size_t module,
                                                   std::uint64_t first, std::uint64_t last);

// Equal but for the rounding of float32.
void ExpectNear(const kernels::reference::Matrix& got, const kernels::reference::Matrix& expected);

class FederationFixture : public ::testing::Test {
 protected:
  // YAML of the list of federations.
  void Serve(const std::string& federations);
  void JoinAll(const std::string& federation, const std::vector<Party>& parties);

  // Waits for the round, which must be open.
  static absl::Status PushOne(Client& client, const UpdateBytes& update, std::uint64_t round, std::uint64_t examples);
  // All clients at the same time, with UpdateOf.
  void RunRound(const std::vector<Party>& parties, std::uint64_t round);
  void ExpectFinished();

  // Downloads with the first client. The directory is replaced by the next call.
  std::filesystem::path Pull(std::uint64_t version, Form form);

  const TestDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace cairn::testing
