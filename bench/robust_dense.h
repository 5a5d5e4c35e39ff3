// Every rule on plain vectors in memory, beside the time that reading them takes and beside the obvious way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cairn::bench {

struct DenseOptions {
  std::vector<std::int64_t> columns = {16, 64};
  std::int64_t elements = 8'400'000;
  std::int64_t faulty = 3;
  int repetitions = 5;
  int threads = 1;
  bool literal = true;
  std::vector<std::string> only;  // Names of the table; empty: all.
};

// Prints one table for each number of columns.
absl::Status MeasureDense(const DenseOptions& options);

}  // namespace cairn::bench
