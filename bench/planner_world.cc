#include "bench/planner_world.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "bench/planner_costs.h"

namespace cairn::bench {
namespace {

constexpr double kGigabit = 1e9 / 8;  // Bytes/s.

struct MachineClass {
  double share;
  std::uint32_t cores;
  double network;
};
// Edge machines, ordinary servers, and a few large ones.
constexpr MachineClass kMachines[] = {{0.3, 4, 5 * kGigabit}, {0.5, 8, 10 * kGigabit}, {0.2, 32, 25 * kGigabit}};

// Adapters of small and large models, and ResNet-152 in whole.
const std::vector<double> kUpdateBytes = {4.5e6, 33.6e6, 134e6, 233e6};
const std::vector<double> kUpdateShares = {0.3, 0.3, 0.25, 0.15};
// Neither machines nor clients are spread evenly, nor alike.
const std::vector<double> kMachineZones = {0.4, 0.3, 0.2, 0.1};
const std::vector<double> kSenderZones = {0.35, 0.25, 0.25, 0.15};

constexpr int kBursts = 6;
constexpr double kBurstSeconds = 0.5;

Machine MakeMachine(int index, Dice& dice) {
  std::vector<double> shares;
  for (const MachineClass& kind : kMachines) shares.push_back(kind.share);
  const MachineClass& kind = kMachines[dice.Pick(shares)];
  Machine machine{absl::StrFormat("n%03d", index), 0, kind.cores, kind.network};
  machine.zone = static_cast<int>(dice.Pick(kMachineZones));
  machine.fold = dice.Between(kAxpyMin, kAxpyMax);
  return machine;
}

Sender MakeSender(int index, Dice& dice) {
  Sender sender{absl::StrFormat("c%05d", index)};
  sender.zone = static_cast<int>(dice.Pick(kSenderZones));
  sender.bytes = static_cast<std::uint64_t>(kUpdateBytes[dice.Pick(kUpdateShares)]);
  sender.uplink = kGigabit * std::pow(10, dice.Between(-1, 0));  // 100 Mbit/s to 1 Gbit/s.
  return sender;
}

std::string ZoneName(int zone) { return absl::StrFormat("zone-%d", zone); }

// The point where the time of one update grows, as raising the load would find it: the network, the cores or the leaves
// are busy for most of the time.
planner::Node NodeOf(const Machine& machine) {
  const double by_cores = machine.cores / (kReceiveCpuPerByte + 1 / machine.fold);
  const double bytes_per_second = kBusyAtCapacity * std::min(machine.network, by_cores);
  planner::Node node{machine.id, ZoneName(machine.zone)};
  node.fold_seconds_per_byte = 1 / machine.fold / (1 - kBusyAtCapacity);  // M/M/1: waiting and folding.
  node.capacity = bytes_per_second * node.fold_seconds_per_byte;
  node.cores = machine.cores;
  return node;
}

}  // namespace

double Dice::Exponential(double mean) { return -mean * std::log1p(-Unit()); }

std::size_t Dice::Pick(const std::vector<double>& weights) {
  double rest = Unit();
  for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
    if (rest < weights[i]) return i;
    rest -= weights[i];
  }
  return weights.size() - 1;
}

World MakeWorld(int machines, int senders, std::uint64_t seed, double slow) {
  Dice dice(seed);
  World world;
  for (int i = 0; i < machines; ++i) world.machines.push_back(MakeMachine(i, dice));
  for (Machine& machine : world.machines) machine.fold /= slow;
  for (int i = 0; i < senders; ++i) world.senders.push_back(MakeSender(i, dice));
  return world;
}

std::vector<double> Starts(const World& world, Arrivals arrivals, double window, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<double> starts(world.senders.size());
  // Poisson arrivals, given how many there are, are uniform in the window.
  for (double& start : starts) {
    if (arrivals == Arrivals::kPoisson) {
      start = dice.Between(0, window);
    } else {
      const double burst = std::floor(dice.Unit() * kBursts);
      start = burst * (window / kBursts) + dice.Exponential(kBurstSeconds);
    }
  }
  return starts;
}

planner::Input InputOf(const World& world, double window) {
  planner::Input input;
  for (const Machine& machine : world.machines) input.nodes.push_back(NodeOf(machine));
  for (const Sender& sender : world.senders) {
    input.clients.push_back({sender.id, ZoneName(sender.zone), sender.bytes, 1 / window});
  }
  return input;
}

}  // namespace cairn::bench
