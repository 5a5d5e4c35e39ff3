// Memory of partial sums, which whoever makes them provides: the heap, or an object that other processes will map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cairn {

class SumPlane {
 public:
  virtual ~SumPlane() = default;
  // Always the same, aligned as int64 is. Whatever is in there at first is never read.
  virtual absl::Span<std::int64_t> values() = 0;
};

// A plane of exactly `elements` int64, at least 1; or an error, which the sum hands on.
using MakePlane = std::function<absl::StatusOr<std::unique_ptr<SumPlane>>(std::size_t elements)>;

// On the heap. RESOURCE_EXHAUSTED when there is no memory.
MakePlane HeapPlanes();

}  // namespace cairn
