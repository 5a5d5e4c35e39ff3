#include "aggregators/kernels/sketch.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <random>
#include <tuple>

namespace cairn::kernels {
namespace {

constexpr std::uint64_t kSeed = 0x6361'6972'6e00;

}  // namespace

// The bits of std::mt19937_64 are the same everywhere; those of libtorch's generators are not.
at::Tensor RandomMatrix(std::int64_t rows, std::int64_t columns, const at::TensorOptions& options) {
  std::mt19937_64 random(kSeed);
  const at::Tensor matrix = at::empty({rows, columns}, at::kFloat);
  float* values = matrix.data_ptr<float>();
  for (std::int64_t i = 0; i < matrix.numel(); ++i) values[i] = static_cast<float>(random() >> 40) * 0x1p-23F - 1;
  return matrix.to(options);
}

at::Tensor Orthonormal(const at::Tensor& x) { return std::get<0>(at::linalg_qr(x.to(at::kDouble))); }

}  // namespace cairn::kernels
