// Parts of randomised range finders (Halko, Martinsson, Tropp, arXiv 0909.4061).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cairn::kernels {

inline constexpr std::int64_t kOversample = 16;  // Directions beyond the rank that is wanted.
inline constexpr int kPowerIterations = 2;

// Uniform in [-1, 1), from one seed: the same everywhere and every time.
at::Tensor RandomMatrix(std::int64_t rows, std::int64_t columns, const at::TensorOptions& options);

// An orthonormal basis of the range, in float64, as many columns as `x` has; of rank-deficient ones, too.
at::Tensor Orthonormal(const at::Tensor& x);

}  // namespace cairn::kernels
