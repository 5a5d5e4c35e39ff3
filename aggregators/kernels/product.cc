#include "aggregators/kernels/product.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/balance.h"
#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

absl::Status Check(absl::Span<const ScaledProduct> products) {
  if (products.empty()) return absl::InvalidArgumentError("products: expected at least one, got none");
  for (std::size_t i = 0; i < products.size(); ++i) {
    const FactorPair<double>& is = products[i].factors;
    const FactorPair<double>& first = products[0].factors;
    if (is.IsWhole() && is.d_out == first.d_out && is.d_in == first.d_in) continue;
    return absl::InvalidArgumentError(absl::StrCat("products: expected factors for ", first.d_out, " x ", first.d_in,
                                                   ", product ", i, " has ", is.b.size(), " and ", is.a.size(),
                                                   " values for ", is.d_out, " x ", is.d_in, " of rank ", is.rank));
  }
  return absl::OkStatus();
}

absl::Status NotFinite() {
  return absl::InvalidArgumentError("products: a factor has a value that is not finite or beyond 2^500");
}

// Shares memory with `values`.
Tensor Matrix(absl::Span<const double> values, std::int64_t rows, std::int64_t columns) {
  return at::from_blob(const_cast<double*>(values.data()), {rows, columns}, at::kDouble);
}

// The A_i on top of each other, and the scale_i B_i side by side.
struct Stacked {
  std::vector<double> a, b;
  std::int64_t rank = 0;
};

Stacked StackOf(absl::Span<const ScaledProduct> products) {
  Stacked out;
  for (const ScaledProduct& product : products) {
    out.a.insert(out.a.end(), product.factors.a.begin(), product.factors.a.end());
    out.rank += product.factors.rank;
  }
  const std::int64_t d_out = products[0].factors.d_out;
  out.b.reserve(out.rank * d_out);
  for (std::int64_t i = 0; i < d_out; ++i) {
    for (const auto& [scale, factors] : products) {
      for (const double value : factors.b.subspan(i * factors.rank, factors.rank)) out.b.push_back(scale * value);
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<double> NormOfSum(absl::Span<const ScaledProduct> products) {
  if (absl::Status status = Check(products); !status.ok()) return status;
  const Stacked stacked = StackOf(products);
  const std::int64_t d_out = products[0].factors.d_out, d_in = products[0].factors.d_in;
  const Balanced<double> balanced = Balance(FactorPair<double>{stacked.a, stacked.b, d_out, stacked.rank, d_in});
  if (!balanced.finite) return NotFinite();
  if (balanced.zero) return 0.0;
  return CatchTorch("norm of a product", [&]() -> absl::StatusOr<double> {
    const c10::InferenceMode inference;
    const Tensor packed = std::get<0>(at::geqrf(Matrix(balanced.a, stacked.rank, d_in).t()));
    const Tensor r = packed.narrow(0, 0, std::min(stacked.rank, d_in)).triu();
    const Tensor core = Matrix(balanced.b, d_out, stacked.rank).mm(r.t());
    return std::ldexp(core.norm().item<double>(), balanced.exponent);
  });
}

absl::StatusOr<double> NormOf(const ScaledProduct& product) { return NormOfSum({&product, 1}); }

absl::StatusOr<std::vector<double>> UnitInnerProducts(const FactorPair<double>& units) {
  if (absl::Status status = Check({{1, units}}); !status.ok()) return status;
  return CatchTorch("inner products of rank units", [&]() -> absl::StatusOr<std::vector<double>> {
    const c10::InferenceMode inference;
    const Tensor a = Matrix(units.a, units.rank, units.d_in), b = Matrix(units.b, units.d_out, units.rank);
    std::vector<double> sums(units.rank * units.rank);
    Tensor sum = Matrix(sums, units.rank, units.rank);  // Written in place: for many clients it is the largest thing.
    at::mm_out(sum, b.t(), b);
    sum.addmm_(a, a.t());
    return sums;
  });
}

}  // namespace cairn::kernels
