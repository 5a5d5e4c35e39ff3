// What the runs of one contender took, and how it compares.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/hierarchy_contender.h"

namespace cairn::bench {

// Of one run, per update.
struct HierarchySample {
  double handoff = 0, hop = 0, hop_cpu = 0;  // One at a time, without landing: seconds.
  double stream = 0, stream_cpu = 0;         // Several on the way, with landing.
  double copied = 0;                         // User-space copies per byte.
};

struct HierarchySamples {
  DesignFacts facts;
  std::vector<HierarchySample> runs;
  std::uint64_t peak = 0;  // PSS of all its processes.

  double MedianOf(double HierarchySample::*field) const;
  // The median of the ratios run by run: what disturbs the machine disturbs both.
  double RatioTo(const HierarchySamples& other, double HierarchySample::*field) const;
};

// The table of one size. The first of `all` is the floor.
std::string HierarchyTable(const std::vector<HierarchySamples>& all);

}  // namespace cairn::bench
