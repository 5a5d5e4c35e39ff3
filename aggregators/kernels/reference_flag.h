// The Flag Aggregator as the paper (arXiv 2302.05865) and its authors' program have it, slow: every update and every
// ordered pair's difference is there as a vector, and Y are the top eigenvectors of the sum of their outer products.
// For tests only.
#pragma once

#include <cstddef>
#include <vector>

#include "aggregators/kernels/reference_columns.h"

namespace cairn::kernels::reference {

struct FlagSetup {
  bool paper = true;  // Or the program.
  std::size_t m = 1;
  double lambda = 0;
  int iterations = 5;
};

// With epsilon = 1e-7.
Column FlagResult(const FlagSetup& setup, const std::vector<Column>& updates);

}  // namespace cairn::kernels::reference
