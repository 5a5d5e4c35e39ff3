// Rules as `cairn aggregate` and the server run them, on updates in memory.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/robust_columns.h"

namespace cairn::bench {

struct RuleJob {
  std::string name;                 // In tables, and of the literal one (bench/robust_literal.h).
  std::string rule;                 // NAME[:key=value,...]
  std::vector<std::string> guards;  // The same.
};

struct RuleSeconds {
  double weigh = 0;    // What each client counts: inner products, guards, rule.
  double combine = 0;  // The weighted sum, or every coordinate.
  double all() const { return weigh + combine; }
};

// The result stays in memory, as float32.
absl::StatusOr<RuleSeconds> RunRule(const RuleJob& job, const DenseColumns& columns, int threads);

}  // namespace cairn::bench
