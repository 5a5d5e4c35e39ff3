// W += B A on a block of rows of W, in float64.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace cairn::kernels {

// w [rows, columns] += left [rows, rank] * right [rank, columns], row-major. `transposed` says that right is stored as
// [columns, rank]. Sizes must fit. Of a given machine and number of threads always the same bits.
absl::Status AddProduct(absl::Span<const double> left, absl::Span<const double> right, bool transposed,
                        std::int64_t rank, std::int64_t columns, absl::Span<double> w);

}  // namespace cairn::kernels
