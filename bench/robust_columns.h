// Updates as plain vectors in memory: what the literal rules take as a matrix, and Cairn as adapters of one tensor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapter/lora.h"

namespace cairn::bench {

class DenseColumns {
 public:
  // `columns` updates of `elements` float32 values: a common direction, with noise of the same norm, of which the first
  // `faulty` send the opposite.
  DenseColumns(std::int64_t columns, std::int64_t elements, std::int64_t faulty);

  std::int64_t columns() const { return static_cast<std::int64_t>(adapters_.size()); }
  std::int64_t elements() const { return elements_; }
  std::size_t bytes() const { return values_.size() * sizeof(float); }
  float* values() { return values_.data(); }  // [columns, elements]
  const std::vector<Adapter>& adapters() const { return adapters_; }

 private:
  std::int64_t elements_;
  std::vector<float> values_;
  std::vector<Adapter> adapters_;
};

// Of the client behind a column: ids ascend as columns do.
std::string ClientId(std::int64_t column);

}  // namespace cairn::bench
