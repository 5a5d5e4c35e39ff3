// Two adapters as one whose change is the sum of theirs: per module A = [A1; A2], B = [s1 B1, s2 B2]. Exact, no
// rounding.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/directory.h"

namespace cairn {

// FAILED_PRECONDITION unless both have the same modules, the sum of whose ranks stays within limits::kRankMax.
absl::StatusOr<std::vector<AdapterWriter::Shape>> ConcatenatedShapes(const Adapter& first,
                                                                     const Adapter& second);

// Appends every module, ascending by name. Holds one module in memory.
absl::Status Concatenate(const StoredAdapter& first, const StoredAdapter& second, AdapterWriter& writer);

}  // namespace cairn
