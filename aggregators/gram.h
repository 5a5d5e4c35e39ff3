// How clients lie to each other: the inner products of their updates.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/shard.h"

namespace cairn {

struct GramOptions {
  // Names of modules and tensors that count, or their ends behind a dot ("q_proj" for "layers.0.q_proj"), as in PEFT's
  // target_modules. Empty: all.
  std::vector<std::string> modules;
  // Of that many first columns, those whose factors cancel to less than 1e-12 of their size count as not finite: they
  // leave no digit that is worth to have.
  std::size_t strict = std::numeric_limits<std::size_t>::max();
  int threads = 0;  // 0: one a processor. The bits do not depend on it where no library multiplies.
  // Called between modules, and between chunks of tensors, by the caller's thread: pages may be dropped. An error ends
  // it.
  std::function<absl::Status()> after_read = [] { return absl::OkStatus(); };
  // Only its own modules and tensors are read here, and the others' sums come from the other shards. Null: all are.
  const Shard* shard = nullptr;

  int workers() const;  // What `threads` means here.
};

// Whether `wanted` names a module or tensor in GramOptions::modules.
bool IsOrEndsIn(absl::string_view name, absl::string_view wanted);

// Frobenius inner products <x_i, x_j> of the columns, summed over modules (dW = scale * B * A, or scale * B * core * A)
// and floating-point tensors (times their scale): [columns, columns], in float64. A column that lacks a module or a
// tensor is zero there; columns of null are zero.
// Tensors: products of values, summed in float64. Modules: from the factors, in time (d_in + d_out) R^2 / 2 for R = the
// sum of all ranks, or from dense rows where that is less work; factors whose product is much smaller than they are
// (c B with A / c, another basis) are made orthonormal first, so that the error is that of float64 relative to
// ||x_i|| ||x_j||. No module is ever formed whole.
// What modules and tensors give is added up with kernels::ExactSums: the same bits however they are spread over shards,
// as long as `threads` is the same where a library multiplies.
// A column with a value that is not finite, or with a norm above 1e150, has NaN in its row and column; no other entry
// is touched by it. INVALID_ARGUMENT: columns whose modules have different dimensions; a name in `modules` that no
// column has. CANCELLED: InterruptGuard. Else the library's and the shard's errors.
absl::StatusOr<kernels::SmallMatrix> GramOf(absl::Span<const Adapter* const> columns, const GramOptions& options = {});

}  // namespace cairn
