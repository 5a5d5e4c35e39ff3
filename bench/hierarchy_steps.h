// The steps of an update's way through a real server, as its metrics tell them.
#pragma once

#include <array>
#include <string>

#include "absl/status/statusor.h"

namespace cairn::bench {

// As server/metrics/metrics.h explains them.
inline constexpr std::array<const char*, 7> kSteps = {"receive", "write", "seal", "queue", "fold", "merge", "publish"};

struct StepTotal {
  double count = 0, seconds = 0;
};

struct StepTotals {
  std::array<StepTotal, kSteps.size()> steps;  // In the order of kSteps.

  const StepTotal& Of(const std::string& step) const;
  StepTotals& operator+=(const StepTotals& other);
  StepTotals& operator-=(const StepTotals& other);
};

// Of one federation so far.
absl::StatusOr<StepTotals> ReadSteps(const std::string& metrics_address, const std::string& federation);

}  // namespace cairn::bench
