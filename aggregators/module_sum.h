// Modules that are added up round after round, without their rank growing for ever: a change of a [d_out, d_in] weight
// has rank min(d_in, d_out) at most.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/combined.h"

namespace cairn {

// A module of a file as a result, read when it is written; its scale is folded into B. The file's bytes must outlive
// it.
CombinedModule ModuleOf(const LoraModule& module);

// Rank units [first, first + units) of a module: 0 <= first <= first + units <= rank. With groups, the same part of
// each group; both numbers are multiples of their number.
CombinedModule UnitsOf(const CombinedModule& module, std::int64_t first, std::int64_t units);

// The sum of two changes of one weight, with the units of `x` first. Exact. A part of rank 0 is left out.
CombinedModule Concatenated(const CombinedModule& x, const CombinedModule& y);

// The highest rank that a change of this weight can have: min(d_in, d_out); with groups, of all groups together.
std::int64_t FullRank(const ModuleSpec& spec);

// A change of a weight as it is, [d_out, d_in], as a module of rank FullRank: one factor is the change, the other the
// identity.
CombinedModule AtFullRank(CombinedModule module, FactorPtr change);

// The sum of two changes of one weight at rank FullRank or less. Concatenated where that is enough; else the sum
// itself is one factor, computed in float64 a block of rows at a time, and the other is the identity. While it is read,
// the A of both is in memory as float64. No rank is lost; the only rounding is that to what is written.
// FAILED_PRECONDITION when the rank exceeds limits::kRankMax all the same.
absl::StatusOr<CombinedModule> BoundedSum(const CombinedModule& x, const CombinedModule& y);

}  // namespace cairn
