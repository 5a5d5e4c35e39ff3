#include "cli/tensor_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace cairn {

double NormOf(const TensorView& tensor) {
  constexpr std::size_t kBlock = 1 << 15;
  std::vector<double> block(kBlock);
  double sum = 0;
  for (auto left = static_cast<std::size_t>(tensor.elements()), at = std::size_t{0}; left > 0;) {
    const std::size_t count = std::min(left, kBlock);
    ToDouble(tensor.dtype, tensor.data.data() + at * SizeOf(tensor.dtype), count, block.data());
    for (std::size_t i = 0; i < count; ++i) sum += block[i] * block[i];
    at += count;
    left -= count;
  }
  return std::sqrt(sum);
}

}  // namespace cairn
