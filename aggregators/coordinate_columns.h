// What coordinate_result.cc reads its columns from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/factor.h"

namespace cairn::internal {

// One client's dense values of a module or a tensor, rows of a matrix. Reading is thread-safe.
class DenseColumn {
 public:
  virtual ~DenseColumn() = default;
  // Adds rows [first, first + out.size() / columns) to `out`. INTERNAL, RESOURCE_EXHAUSTED: the library's.
  virtual absl::Status AddTo(std::int64_t first, absl::Span<double> out) const = 0;
  // Whether all values are float32 numbers that lie in memory, in one column. Then these are `count` of them: where
  // they lie, or else in `room`; null where they are not.
  virtual bool stored_as_floats() const = 0;
  virtual const float* Read(std::int64_t first, std::size_t count, std::vector<float>& room) const = 0;
};
using DenseColumnPtr = std::unique_ptr<const DenseColumn>;

// scale * B * A of a module, with groups too. A is read now, as float64; OUT_OF_RANGE when it is not finite.
absl::StatusOr<DenseColumnPtr> ProductColumn(const LoraModule& module);
// scale * values, [elements, 1].
DenseColumnPtr TensorColumn(const DenseTensor& tensor);

}  // namespace cairn::internal
