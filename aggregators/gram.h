// How clients lie to each other: the inner products of their updates.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/aggregator.h"

namespace cairn {

// Frobenius inner products <dW_i, dW_j> summed over all modules, by client in order of `updates`; of adapters without
// modules, of their floating-point tensors. In float64, from factors that are read a few rows at a time. Time
// (d_in + d_out) R^2 a module for R = the sum of all ranks.
// INVALID_ARGUMENT names the client and the tensor of a value that is not finite.
absl::StatusOr<std::vector<std::vector<double>>> GramOf(const std::map<std::string, ClientUpdate>& updates);

}  // namespace cairn
