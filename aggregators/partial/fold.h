// Updates and other sums, folded into the planes of a partial sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "aggregators/kernels/window_sum.h"
#include "aggregators/partial/layout.h"
#include "aggregators/partial_sum.h"

namespace cairn::internal {

// Planes that come into being when they are needed.
class GrowingPlanes {
 public:
  GrowingPlanes(std::vector<std::unique_ptr<SumPlane>>& planes, const MakePlane& make, std::int64_t elements)
      : planes_(planes), make_(make), elements_(elements) {}
  // Elements [first, first + count) of a plane, which is made if it is the next one. Empty: it cannot be made.
  absl::Span<std::int64_t> At(int plane, std::int64_t first, std::int64_t count);
  const absl::Status& status() const { return status_; }  // Why not.

 private:
  std::vector<std::unique_ptr<SumPlane>>& planes_;
  const MakePlane& make_;
  const std::int64_t elements_;
  absl::Status status_;
};

// INVALID_ARGUMENT, with client and tensor, for values that are not finite; the planes' status. Then part is folded.
absl::Status FoldUpdates(absl::Span<const PartialSum::Update> updates, const Layout& layout,
                         std::vector<kernels::BlockWindows>& windows, GrowingPlanes& planes);

// The sums of another layout, all of whose matrices `layout` has, at least as large.
struct OtherSums {
  const Layout& layout;
  const std::vector<kernels::BlockWindows>& windows;
  absl::Span<const absl::Span<const std::int64_t>> planes;
};
absl::Status FoldSums(const OtherSums& other, const Layout& layout, std::vector<kernels::BlockWindows>& windows,
                      GrowingPlanes& planes);

}  // namespace cairn::internal
