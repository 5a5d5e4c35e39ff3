#include "simulation/attacks/dense.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::attacks {
namespace {

// Singular values below this part of the largest are rounding, not units.
constexpr double kNegligible = 1e-10;

struct Decomposition {
  at::Tensor u, s, v;  // [d_out, k], [k], [k, d_in]; float64.
};

at::Tensor ProductOf(const Factors& factors) {
  return at::matmul(factors.b.detach().to(at::kDouble), factors.a.detach().to(at::kDouble)) * factors.scale;
}

absl::Status CheckModules(const Lora& lora, const Lora& like) {
  for (const auto& [module, factors] : lora.modules) {
    const auto found = like.modules.find(module);
    if (found == like.modules.end()) {
      return absl::InvalidArgumentError(absl::StrCat("an update has module ", module, ", which others lack"));
    }
    const std::int64_t d_out = found->second.b.size(0), d_in = found->second.a.size(1);
    if (factors.b.size(0) == d_out && factors.a.size(1) == d_in) continue;
    return absl::InvalidArgumentError(absl::StrCat("module ", module, ": expected [", d_out, ", ", d_in, "], got [",
                                                   factors.b.size(0), ", ", factors.a.size(1), "]"));
  }
  return absl::OkStatus();
}

std::int64_t UnitsOf(const Decomposition& parts) {
  const double largest = parts.s.numel() > 0 ? parts.s[0].item<double>() : 0;
  return std::min<std::int64_t>((parts.s > kNegligible * largest).sum().item<std::int64_t>(), limits::kUsualRankMax);
}

at::Tensor Padded(const at::Tensor& x, std::int64_t rows, std::int64_t columns) {
  at::Tensor out = at::zeros({rows, columns}, at::kFloat);
  out.narrow(0, 0, x.size(0)).narrow(1, 0, x.size(1)).copy_(x);
  return out;
}

// The square root of every singular value goes to either side, so that A and B are of one size.
Factors FactorsOf(const Decomposition& parts, std::int64_t rank, double scale) {
  const std::int64_t kept = std::min(rank, parts.s.size(0));
  const at::Tensor root = at::sqrt(parts.s.narrow(0, 0, kept));
  const at::Tensor b = parts.u.narrow(1, 0, kept) * root / scale, a = root.unsqueeze(1) * parts.v.narrow(0, 0, kept);
  return {Padded(a, rank, parts.v.size(1)), Padded(b, parts.u.size(0), rank), scale};
}

std::map<std::string, Decomposition> Decompose(const Vector& values, const Lora& like) {
  std::map<std::string, Decomposition> out;
  const double* next = values.data();
  for (const auto& [module, factors] : like.modules) {
    at::Tensor product = at::empty({factors.b.size(0), factors.a.size(1)}, at::kDouble);
    std::memcpy(product.data_ptr<double>(), next, product.numel() * sizeof(double));
    next += product.numel();
    auto [u, s, v] = at::linalg_svd(product, /*full_matrices=*/false);
    out[module] = {u, s, v};
  }
  return out;
}

}  // namespace

absl::StatusOr<Vector> ValuesOf(const Lora& lora, const Lora& like) {
  CAIRN_RETURN_IF_ERROR(CheckModules(lora, like));
  Vector out;
  for (const auto& [module, factors] : like.modules) {
    const auto found = lora.modules.find(module);
    const at::Tensor product = found != lora.modules.end()
                                   ? ProductOf(found->second).contiguous()
                                   : at::zeros({factors.b.size(0), factors.a.size(1)}, at::kDouble);
    out.insert(out.end(), product.data_ptr<double>(), product.data_ptr<double>() + product.numel());
  }
  return out;
}

Lora FromValues(const Vector& values, const Lora& like, std::int64_t rank) {
  const std::map<std::string, Decomposition> modules = Decompose(values, like);
  const double scale = like.alpha / static_cast<double>(like.rank);
  Lora out{std::max<std::int64_t>(rank, 1), 0, {}};
  for (const auto& [module, parts] : modules) {
    if (rank == 0) out.rank = std::max(out.rank, UnitsOf(parts));
  }
  out.alpha = scale * static_cast<double>(out.rank);
  for (const auto& [module, parts] : modules) out.modules[module] = FactorsOf(parts, out.rank, scale);
  return out;
}

}  // namespace cairn::attacks
