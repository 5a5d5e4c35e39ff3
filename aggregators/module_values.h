// A module's factors as float64, for what needs more of them than to be copied or added up.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/factor.h"
#include "aggregators/kernels/product.h"

namespace cairn {

struct ModuleValues {
  std::vector<double> a, b;  // Row-major, [rank, d_in] and [d_out, rank].
  std::int64_t d_out = 0, rank = 0, d_in = 0;
  double scale = 1;

  // weight * scale * B * A; views into these values.
  kernels::ScaledProduct Times(double weight) const { return {weight * scale, {a, b, d_out, rank, d_in}}; }
};

// REQUIRES: no groups. OUT_OF_RANGE when a value is not finite (Aggregator::Report then finds out whose it is).
absl::StatusOr<ModuleValues> ReadValues(const LoraModule& module);

// A, or core * A: B times it is the module without its scale. REQUIRES: no groups. Errors: as ReadValues, of a core.
absl::StatusOr<FactorPtr> FactorA(const LoraModule& module);

// ||B * A||_F, or ||B * core * A||_F, without the scale; of a module with groups too. The product is never formed.
// Errors: as ReadValues, and those of kernels::NormOf.
absl::StatusOr<double> NormOfProduct(const LoraModule& module);

}  // namespace cairn
