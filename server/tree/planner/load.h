// What is learned from one window of measurement for the next plan.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {

// EWMA: the share of the old estimate in the new one, as in LIFL.
inline constexpr double kPastShare = 0.7;
// One window counts at most as this many times what was expected, or as this part of it.
inline constexpr double kSurpriseMax = 4;

double Smoothed(double past, double sample);  // kPastShare * past + (1 - kPastShare) * sample

// One node over one window, which the plan was in force for.
struct Measured {
  std::string node;
  double updates_per_second = 0;  // k
  double seconds_per_update = 0;  // E, from key queued to folded; 0: nothing was folded.
};

// The input of the next plan: `input`, for which `plan` was made and carried out, and what was seen since. A node whose
// clients send more often than expected teaches its clients' rates, which go with them when they move; one that takes
// longer teaches its own slowdown, which stays. Faster than its offline measurement a node never counts: E is less when
// there is little load, and would lie about what happens at more. Unknown nodes are ignored.
Input Learned(Input input, const Plan& plan, absl::Span<const Measured> windows);

}  // namespace cairn::planner
