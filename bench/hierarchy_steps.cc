#include "bench/hierarchy_steps.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "tests/integration/remote.h"

namespace cairn::bench {
namespace {

// 0 for a series that is not there: it appears with its first observation.
double ValueOf(absl::string_view metrics, const std::string& series) {
  for (absl::string_view line : absl::StrSplit(metrics, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, series) && absl::SimpleAtod(line, &value)) return value;
  }
  return 0;
}

}  // namespace

const StepTotal& StepTotals::Of(const std::string& step) const {
  return steps.at(std::find(kSteps.begin(), kSteps.end(), step) - kSteps.begin());
}

StepTotals& StepTotals::operator+=(const StepTotals& other) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].count += other.steps[i].count;
    steps[i].seconds += other.steps[i].seconds;
  }
  return *this;
}

StepTotals& StepTotals::operator-=(const StepTotals& other) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].count -= other.steps[i].count;
    steps[i].seconds -= other.steps[i].seconds;
  }
  return *this;
}

absl::StatusOr<StepTotals> ReadSteps(const std::string& metrics_address, const std::string& federation) {
  CAIRN_ASSIGN_OR_RETURN(const std::string metrics, testing::HttpGet(metrics_address, "/metrics"));
  if (!absl::StrContains(metrics, "cairn_build_info")) return absl::UnavailableError("no metrics");
  StepTotals totals;
  for (std::size_t i = 0; i < kSteps.size(); ++i) {
    const std::string labels = absl::StrCat("{federation=\"", federation, "\",step=\"", kSteps[i], "\"} ");
    totals.steps[i] = {ValueOf(metrics, "cairn_step_seconds_count" + labels),
                       ValueOf(metrics, "cairn_step_seconds_sum" + labels)};
  }
  return totals;
}

}  // namespace cairn::bench
