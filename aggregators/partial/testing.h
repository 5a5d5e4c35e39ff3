// Cohorts of clients for tests of partial sums: whatever each rule takes, mixed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "aggregators/partial_sum.h"
#include "aggregators/registry.h"

namespace cairn::testing {

struct SumClient {
  Contributor who;
  Adapter adapter;
  std::deque<std::string> bytes;  // What the views see.
};
using SumCohort = std::vector<std::unique_ptr<SumClient>>;

// As the rule wants them: equal ranks, mixed ranks, frozen factors, cores, or tensors alone. Some lack modules and
// tensors; types and magnitudes are mixed; names and counts are random.
SumCohort MakeSumCohort(const std::string& combine, std::uint64_t seed, std::size_t clients);

// A result, read into memory in float64. Equal if every bit is.
struct SumResult {
  std::vector<std::string> what;  // Names, sizes, ranks.
  std::vector<std::vector<double>> values;
  std::vector<std::string> same;
  friend bool operator==(const SumResult& x, const SumResult& y);
};
absl::StatusOr<SumResult> ResultOf(absl::FunctionRef<absl::Status(const ResultSink&)> report);
absl::StatusOr<SumResult> ResultOfView(const PartialView& view);
// Of Aggregator::Report with the counts as weights.
absl::StatusOr<SumResult> LazyResultOf(const std::string& combine, const SumCohort& cohort);

std::vector<std::string> SumRules();

}  // namespace cairn::testing
