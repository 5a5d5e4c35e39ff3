#include "aggregators/sum_plane.h"

#include <new>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

class HeapPlane final : public SumPlane {
 public:
  HeapPlane(std::unique_ptr<std::int64_t[]> values, std::size_t elements)
      : values_(std::move(values)), elements_(elements) {}
  absl::Span<std::int64_t> values() override { return {values_.get(), elements_}; }

 private:
  std::unique_ptr<std::int64_t[]> values_;
  std::size_t elements_;
};

}  // namespace

MakePlane HeapPlanes() {
  return [](std::size_t elements) -> absl::StatusOr<std::unique_ptr<SumPlane>> {
    // Not cleared: the first terms of a block overwrite it.
    std::unique_ptr<std::int64_t[]> values(new (std::nothrow) std::int64_t[elements]);
    if (values == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat("no memory for ", elements, " sums of 8 bytes"));
    }
    return std::make_unique<HeapPlane>(std::move(values), elements);
  };
}

}  // namespace cairn
