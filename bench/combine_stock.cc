#include "bench/combine_stock.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "bench/combine_cohort.h"

namespace cairn::bench {
namespace {

using at::Tensor;

constexpr std::int64_t kDirections = 64;
constexpr double kNoise = 0.3;

std::vector<float> ToFloats(const Tensor& tensor) {
  const Tensor values = tensor.contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

std::vector<double> ToDoubles(const Tensor& tensor) {
  const Tensor values = tensor.to(at::kCPU, at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

template <typename T>
Tensor MatrixOf(const std::vector<T>& values, std::int64_t rows) {
  const auto type = sizeof(T) == sizeof(float) ? at::kFloat : at::kDouble;
  return at::from_blob(const_cast<T*>(values.data()), {rows, static_cast<std::int64_t>(values.size()) / rows}, type);
}

struct Operands {
  Tensor a, b;
};
Operands OperandsOf(const StackedModule& module) {
  return {MatrixOf(module.a, module.rank), MatrixOf(module.b, kLlamaDim)};
}

// <B A, D C> of two products, without forming either.
double InnerProduct(const Tensor& b, const Tensor& a, const Tensor& d, const Tensor& c) {
  return (b.t().mm(d) * a.mm(c.t())).sum().item<double>();
}

}  // namespace

StackedModule MakeStack(int clients, std::uint64_t seed) {
  at::manual_seed(seed);
  const Tensor a = at::randn({kDirections, kLlamaDim}), b = at::randn({kLlamaDim, kDirections});
  const Tensor strengths = 1 / at::arange(1, kDirections + 1, at::kFloat) / clients;
  std::vector<Tensor> rows, columns;
  for (int client = 0; client < clients; ++client) {
    const Tensor learned = at::randperm(kDirections).narrow(0, 0, kLlamaRank);
    const Tensor own_a = a.index_select(0, learned), own_b = b.index_select(1, learned);
    rows.push_back(own_a + kNoise * at::randn_like(own_a));
    columns.push_back((own_b + kNoise * at::randn_like(own_b)) * strengths.index_select(0, learned));
  }
  return {ToFloats(at::cat(rows, 0)), ToFloats(at::cat(columns, 1)), clients * kLlamaRank};
}

LowRankFactors StockRecompress(const StackedModule& module, std::int64_t rank, const std::string& device) {
  const auto [a, b] = OperandsOf(module);
  const at::Device target(device);
  const auto [q_b, r_b] = at::linalg_qr(b.to(target));
  const auto [q_a, r_a] = at::linalg_qr(a.to(target).t());
  const auto [u, s, vh] = at::linalg_svd(r_b.mm(r_a.t()), /*full_matrices=*/false);
  const Tensor roots = s.narrow(0, 0, rank).sqrt();
  return {ToDoubles(roots.unsqueeze(1) * vh.narrow(0, 0, rank).mm(q_a.t())),
          ToDoubles(q_b.mm(u.narrow(1, 0, rank)) * roots)};
}

double OptimalError(const StackedModule& module, std::int64_t rank) {
  const auto [a, b] = OperandsOf(module);
  const Tensor r_b = std::get<1>(at::linalg_qr(b.to(at::kDouble), "r"));
  const Tensor r_a = std::get<1>(at::linalg_qr(a.to(at::kDouble).t(), "r"));
  const Tensor squares = at::linalg_svdvals(r_b.mm(r_a.t())).square();
  const double rest = squares.narrow(0, rank, squares.size(0) - rank).sum().item<double>();
  return std::sqrt(rest / squares.sum().item<double>());
}

double ErrorOf(const StackedModule& module, const LowRankFactors& factors) {
  const auto [a, b] = OperandsOf(module);
  const Tensor a64 = a.to(at::kDouble), b64 = b.to(at::kDouble);
  const auto rank = static_cast<std::int64_t>(factors.a.size()) / kLlamaDim;
  const Tensor c = MatrixOf(factors.a, rank), d = MatrixOf(factors.b, kLlamaDim);
  const double norm = InnerProduct(b64, a64, b64, a64);
  const double error = norm - 2 * InnerProduct(b64, a64, d, c) + InnerProduct(d, c, d, c);
  return std::sqrt(std::max(0.0, error) / norm);
}

}  // namespace cairn::bench
