#include "aggregators/kernels/orthonormal.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>
#include <tuple>
#include <utility>

#include "aggregators/kernels/torch_status.h"
#include "aggregators/kernels/twofold_product.h"

namespace cairn::kernels {
namespace {

using Values = std::vector<double>;

Values Transposed(absl::Span<const double> values, std::int64_t rows) {
  const std::int64_t columns = static_cast<std::int64_t>(values.size()) / rows;
  Values out(values.size());
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) out[j * rows + i] = values[i * columns + j];
  }
  return out;
}

// An orthonormal basis of the columns of `matrix` [rows, columns]: [rows, min(rows, columns)].
Values Basis(Values matrix, std::int64_t rows) {
  const std::int64_t columns = static_cast<std::int64_t>(matrix.size()) / rows;
  const at::Tensor q =
      std::get<0>(at::linalg_qr(at::from_blob(matrix.data(), {rows, columns}, at::kDouble))).contiguous();
  return Values(q.data_ptr<double>(), q.data_ptr<double>() + q.numel());
}

Twofold Exact(Values values) {
  Values low(values.size());
  return {std::move(values), std::move(low)};
}

// The columns of B and the rows of A say little about those of B A where they cancel, so that a basis of either may
// miss some of it. One step of subspace iteration, whose products lose nothing, finds all of it: B (A Q) for a basis Q
// of the rows of A.
Values RangeOf(const FactorPair<double>& factors, const Values& a_transposed) {
  const auto rank = static_cast<std::size_t>(factors.rank), d_in = static_cast<std::size_t>(factors.d_in);
  Values rows = Basis(a_transposed, factors.d_in);
  const std::size_t width = rows.size() / d_in;
  const Twofold core = TwofoldProduct(factors.a, Exact(std::move(rows)), d_in, width);
  return Basis(TwofoldProduct(factors.b, core, rank, width).high, factors.d_out);
}

}  // namespace

absl::StatusOr<OrthonormalFactors> Orthonormalized(const FactorPair<double>& factors) {
  return CatchTorch("orthonormal factors", [&]() -> absl::StatusOr<OrthonormalFactors> {
    const c10::InferenceMode inference;
    const auto inner = static_cast<std::size_t>(factors.rank), d_out = static_cast<std::size_t>(factors.d_out);
    const Values a_transposed = Transposed(factors.a, factors.rank),
                 b_transposed = Transposed(factors.b, factors.d_out);
    OrthonormalFactors out{.b = RangeOf(factors, a_transposed)};
    const std::size_t width = out.b.size() / d_out;
    // B^T Q, and then A^T (B^T Q) = (Q^T B A)^T.
    const Twofold core = TwofoldProduct(b_transposed, Exact(out.b), d_out, width);
    out.a = Transposed(TwofoldProduct(a_transposed, core, inner, width).high, factors.d_in);
    out.rank = static_cast<std::int64_t>(width);
    return out;
  });
}

}  // namespace cairn::kernels
