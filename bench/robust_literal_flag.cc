#include <tuple>
#include <vector>

#include "bench/robust_literal_steps.h"

namespace cairn::bench {
namespace {

using at::Tensor;

constexpr int kIterations = 5;
constexpr double kEpsilon = 1e-7;

// x_i - x_j of all ordered pairs, as rows.
Tensor Differences(const Tensor& x) {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    for (std::int64_t j = 0; j < x.size(0); ++j) {
      if (i != j) rows.push_back(x[i] - x[j]);
    }
  }
  return at::stack(rows);
}

// (|1 - ||Y^T x_i||^2| + epsilon)^(-1/4) of every row; Y [elements, m].
Tensor Weights(const Tensor& rows, const Tensor& y) {
  return (1 - rows.mm(y).pow(2).sum(1)).abs().add(kEpsilon).pow(-0.25);
}

}  // namespace

Tensor Flag(const Tensor& x, double lambda) {
  const std::int64_t columns = x.size(0), dimension = (columns + 2) / 2;
  const Tensor normalised = x / x.norm(2, 1, /*keepdim=*/true);
  Tensor rows = normalised, share = at::ones({columns});
  if (lambda > 0) {
    const std::int64_t pairs = columns * (columns - 1);
    rows = at::cat({normalised, Differences(normalised)});
    share = at::cat({share, at::full({pairs}, lambda / static_cast<double>(pairs))});
  }
  Tensor y = at::zeros({x.size(1), dimension});
  for (int i = 0; i < kIterations; ++i) {
    const Tensor weighted = rows * (Weights(rows, y) * share).unsqueeze(1);
    y = std::get<0>(at::linalg_svd(weighted.t(), /*full_matrices=*/false)).narrow(1, 0, dimension);
  }
  return y.mv(normalised.mm(y).sum(0)) / static_cast<double>(dimension);
}

}  // namespace cairn::bench
