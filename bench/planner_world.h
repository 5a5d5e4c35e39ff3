// Machines and clients of a simulated federation, drawn from a seed. The same seed gives the same world everywhere.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "server/tree/planner/plan.h"

namespace cairn::bench {

// Random numbers that do not depend on the standard library's distributions.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  double Unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }  // [0, 1)
  double Between(double low, double high) { return low + (high - low) * Unit(); }
  double Exponential(double mean);
  // An index, as often as its weight says.
  std::size_t Pick(const std::vector<double>& weights);

 private:
  std::mt19937_64 engine_;
};

struct Machine {
  std::string id;
  int zone = 0;
  std::uint32_t cores = 0;
  double network = 0;  // Bytes/s into the node, and out of it.
  double fold = 0;     // Bytes/s of one leaf: axpy.
};

struct Sender {
  std::string id;
  int zone = 0;
  std::uint64_t bytes = 0;
  double uplink = 0;  // Bytes/s to its own zone.
};

struct World {
  std::vector<Machine> machines;
  std::vector<Sender> senders;
};

inline constexpr int kZones = 4;

// `slow`: folds take this many times as long.
World MakeWorld(int machines, int senders, std::uint64_t seed, double slow = 1);

enum class Arrivals { kPoisson, kBursts };

// When each sender begins its upload, in seconds; `window` long. kBursts: all within a few short bursts.
std::vector<double> Starts(const World& world, Arrivals arrivals, double window, std::uint64_t seed);

// What the planner is told: capacities as measured offline, and one update of everybody within `window` seconds.
planner::Input InputOf(const World& world, double window);

}  // namespace cairn::bench
