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

// A product as left * right^T, where right has orthonormal columns: then nothing cancels in the sums over units.
struct Canonical {
  Tensor left, right;
};

Canonical CanonicalOf(const ScaledProduct& product, const Balanced<double>& balanced) {
  const auto [d_out, rank, d_in] = std::tuple(product.factors.d_out, product.factors.rank, product.factors.d_in);
  if (balanced.zero) return {at::zeros({d_out, 1}, at::kDouble), at::zeros({d_in, 1}, at::kDouble)};
  const auto [q, r] = at::linalg_qr(Matrix(balanced.a, rank, d_in).t());
  return {Matrix(balanced.b, d_out, rank).mm(r.t()) * (product.scale * std::ldexp(1, balanced.exponent)), q};
}

// Of every pair: the sum of (left_i^T left_j) o (right_i^T right_j).
std::vector<double> PairSums(const std::vector<Canonical>& all) {
  std::vector<Tensor> lefts, rights;
  std::vector<std::int64_t> starts{0};
  for (const Canonical& one : all) {
    lefts.push_back(one.left);
    rights.push_back(one.right);
    starts.push_back(starts.back() + one.left.size(1));
  }
  const Tensor left = at::cat(lefts, 1), right = at::cat(rights, 1);
  const std::size_t count = all.size();
  std::vector<double> sums(count * count);
  for (std::size_t i = 0; i < count; ++i) {
    // Only up to the diagonal; the other half is the same.
    const std::int64_t end = starts[i + 1];
    const Tensor terms = (lefts[i].t().mm(left.narrow(1, 0, end)) * rights[i].t().mm(right.narrow(1, 0, end))).sum(0);
    const double* values = terms.data_ptr<double>();
    for (std::size_t j = 0; j <= i; ++j) {
      for (std::int64_t k = starts[j]; k < starts[j + 1]; ++k) sums[i * count + j] += values[k];
      sums[j * count + i] = sums[i * count + j];
    }
  }
  return sums;
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

absl::StatusOr<std::vector<double>> InnerProducts(absl::Span<const ScaledProduct> products) {
  if (absl::Status status = Check(products); !status.ok()) return status;
  return CatchTorch("inner products", [&]() -> absl::StatusOr<std::vector<double>> {
    const c10::InferenceMode inference;
    std::vector<Canonical> all;
    for (const ScaledProduct& product : products) {
      const Balanced<double> balanced = Balance(product.factors);
      if (!balanced.finite) return NotFinite();
      all.push_back(CanonicalOf(product, balanced));
    }
    return PairSums(all);
  });
}

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
