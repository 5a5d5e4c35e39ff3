// Inner products of LoRA updates of many ranks, from their factors, beside the machine's best matrix product.
#pragma once

#include "absl/status/status.h"

namespace cairn::bench {

struct FactorOptions {
  int modules = 64;
  int repetitions = 3;
  int threads = 1;
};

// Prints a table.
absl::Status MeasureFactors(const FactorOptions& options);

}  // namespace cairn::bench
