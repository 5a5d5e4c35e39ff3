#include "aggregators/kernels/ridge.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <tuple>

#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

Tensor Matrix(absl::Span<const double> values, std::int64_t rows, std::int64_t columns) {
  return at::from_blob(const_cast<double*>(values.data()), {rows, columns}, at::kDouble);
}

}  // namespace

absl::StatusOr<std::vector<double>> NearestB(absl::Span<const ScaledProduct> targets, const FactorPair<double>& start,
                                             double lambda) {
  for (const ScaledProduct& target : targets) {
    const FactorPair<double>& its = target.factors;
    if (its.IsWhole() && start.IsWhole() && its.d_in == start.d_in && its.d_out == start.d_out) continue;
    return absl::InvalidArgumentError("nearest B: expected factors for one matrix, got other dimensions");
  }
  return CatchTorch("nearest B", [&]() -> absl::StatusOr<std::vector<double>> {
    const c10::InferenceMode inference;
    const Tensor a = Matrix(start.a, start.rank, start.d_in), b = Matrix(start.b, start.d_out, start.rank);
    const Tensor gram = a.mm(a.t());
    Tensor missing = -b.mm(gram);  // (sum of targets - B_0 A) A^T.
    for (const auto& [scale, its] : targets) {
      missing.addmm_(Matrix(its.b, its.d_out, its.rank), Matrix(its.a, its.rank, its.d_in).mm(a.t()), 1, scale);
    }
    // By eigenvectors: a solution also where A A^T is singular and lambda is lost in its rounding.
    const auto [values, vectors] = at::linalg_eigh(gram);
    const Tensor inverse = (vectors / (values.clamp_min(0) + lambda)).mm(vectors.t());
    const Tensor result = b.addmm(missing, inverse).contiguous();
    return std::vector<double>(result.data_ptr<double>(), result.data_ptr<double>() + result.numel());
  });
}

}  // namespace cairn::kernels
