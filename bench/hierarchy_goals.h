// What was promised of shared memory, beside what was measured.
#pragma once

#include <string>
#include <vector>

#include "bench/hierarchy_samples.h"

namespace cairn::bench {

struct HandoffRow {
  DesignFacts facts;
  std::string size;
  double median = 0, late = 0;  // Microseconds; 99 % are not later than `late`.
};
std::string HandoffTable(const std::vector<HandoffRow>& rows);

// Of the largest size. A goal whose contenders were not all there is left out.
std::string GoalTable(const std::vector<HierarchySamples>& all, const std::vector<HandoffRow>& handoffs);

}  // namespace cairn::bench
