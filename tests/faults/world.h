// The federations of the random schedule: small and fast ones of every combine rule that workers sum up, and one that
// they do not. What each client sends is a pure function of federation, client and round.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "aggregators/testing.h"
#include "client/sdk/client.h"

namespace cairn::faults {

struct SmallFederation {
  const char* name;
  const char* combine;
};
inline constexpr std::array<SmallFederation, 5> kSmallFederations = {
    {{"mean", "mean"}, {"zero", "zero_pad"}, {"ffa", "ffa"}, {"dense", "dense_mean"}, {"stack", "stack"}}};

inline constexpr std::size_t kClients = 5;
inline constexpr std::size_t kTarget = 4;  // Whoever comes last may find the round closed.

std::string SmallClient(std::size_t client);
AdapterShape ShapeOfSmall(std::size_t federation);
// Other bytes for another variant; 0 is what the client really sends.
testing::UpdateBytes SmallUpdate(std::size_t federation, std::size_t client, std::uint64_t round, int variant = 0);
std::uint64_t ExamplesOf(std::size_t client, std::uint64_t round);

// Of the server, but for what ServerProcess adds. The file's `workers` is overridden on the command line.
std::string SmallConfig(bool durable);
// Shared memory of its store: for sums, and in memory mode for updates too.
inline constexpr std::uint64_t SharedBytes(bool durable) { return (std::uint64_t{64} + (durable ? 0 : 96)) << 20; }

}  // namespace cairn::faults
