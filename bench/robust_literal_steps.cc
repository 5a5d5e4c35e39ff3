#include "bench/robust_literal_steps.h"

#include <tuple>
#include <vector>

namespace cairn::bench {

using at::Tensor;

Tensor SquaredDistances(const Tensor& x) { return at::cdist(x, x).pow(2); }

Tensor KrumScores(const Tensor& squared, std::int64_t faulty) {
  const Tensor sorted = std::get<0>(at::sort(squared, 1));
  return sorted.narrow(1, 1, squared.size(0) - faulty - 2).sum(1);  // The first is the distance from itself.
}

Tensor MeanOf(const Tensor& x, const Tensor& which) { return x.index_select(0, which).mean(0); }

Tensor MeanNearest(const Tensor& x, const Tensor& center, std::int64_t count) {
  const Tensor order = at::argsort((x - center).abs(), std::int64_t{0}).narrow(0, 0, count);
  return x.gather(0, order).mean(0);
}

Tensor TrimmedMean(const Tensor& x, std::int64_t faulty) {
  return std::get<0>(at::sort(x, 0)).narrow(0, faulty, x.size(0) - 2 * faulty).mean(0);
}

Tensor NearestNeighbourMixing(const Tensor& x, std::int64_t faulty) {
  const std::int64_t count = x.size(0) - faulty;
  const Tensor nearest = std::get<1>(at::topk(SquaredDistances(x), count, 1, /*largest=*/false));
  std::vector<Tensor> mixed;
  for (std::int64_t i = 0; i < x.size(0); ++i) mixed.push_back(MeanOf(x, nearest[i]));
  return at::stack(mixed);
}

Tensor Clipped(const Tensor& x, double norm) { return x * (norm / x.norm(2, 1)).clamp_max(1).unsqueeze(1); }

Tensor AdaptivelyClipped(const Tensor& x, std::int64_t faulty) {
  const std::int64_t columns = x.size(0), clipped = 2 * faulty * (columns - faulty) / columns;
  const Tensor sorted = std::get<0>(at::sort(x.norm(2, 1)));
  return Clipped(x, sorted[columns - clipped - 1].item<double>());
}

Tensor Bucketed(const Tensor& x, std::int64_t size) {
  const Tensor shuffled = x.index_select(0, at::randperm(x.size(0)));
  std::vector<Tensor> means;
  for (const Tensor& bucket : shuffled.split(size)) means.push_back(bucket.mean(0));
  return at::stack(means);
}

}  // namespace cairn::bench
