// The federations of the random schedule: small and fast ones of every combine rule that workers sum up, one that they
// do not, and, over several nodes, rounds that look at the updates or give up nodes that are lost. What each client
// sends is a pure function of federation, client and round.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "aggregators/testing.h"
#include "client/sdk/client.h"

namespace cairn::faults {

inline constexpr std::size_t kClients = 5;
inline constexpr std::size_t kTarget = 4;  // Whoever comes last may find the round closed.

struct SmallFederation {
  const char* name;
  const char* combine;
  const char* rule = "examples";
  const char* on_node_loss = "wait";
  std::size_t min = kTarget;
  bool loses_nodes() const { return on_node_loss[0] != 'w'; }
};
inline constexpr std::array<SmallFederation, 13> kSmallFederations = {
    {{"mean", "mean"},
     {"zero", "zero_pad"},
     {"ffa", "ffa"},
     {"dense", "dense_mean"},
     {"stack", "stack"},
     {"svd", "svd"},
     {"median", "svd", "median"},
     {"geomed", "stack", "geometric_median"},
     {"krum", "stack", "multi_krum:f=1,convention=byzfl"},
     {"zero-ask", "zero_pad", "examples", "ask_again"},
     {"mean-go", "mean", "examples", "go_on", 3},
     {"stack-go", "stack", "examples", "go_on", 3},
     {"ffa-geomed", "ffa", "geometric_median"}}};
inline constexpr std::size_t kCombinedFederation = 8;  // Of which nodes combine modules.
// Of one server; over nodes, all.
inline constexpr std::size_t kFederationsOfOne = 5;
inline constexpr std::size_t FederationsOf(std::size_t nodes) {
  return nodes == 0 ? kFederationsOfOne : kSmallFederations.size();
}

std::string SmallClient(std::size_t client);
AdapterShape ShapeOfSmall(std::size_t federation);
// Of another federation, whose weights are others.
testing::UpdateBytes UpdateOfOtherShape(std::size_t federation, std::size_t client, std::uint64_t round);
// Other bytes for another variant; 0 is what the client really sends.
testing::UpdateBytes SmallUpdate(std::size_t federation, std::size_t client, std::uint64_t round, int variant = 0);
std::uint64_t ExamplesOf(std::size_t client, std::uint64_t round);

// Of every process, but for what ServerProcess adds. The file's `workers` is overridden on the command line.
std::string ProcessConfig(bool durable);
// Of those that decide: the federations of so many nodes.
std::string FederationsConfig(std::size_t nodes);
// Shared memory of a process' store: for sums, and in memory mode for updates too.
inline constexpr std::uint64_t SharedBytes(bool durable) { return (std::uint64_t{64} + (durable ? 0 : 96)) << 20; }

}  // namespace cairn::faults
