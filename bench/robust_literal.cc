#include "bench/robust_literal.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "bench/robust_literal_steps.h"

namespace cairn::bench {
namespace {

using at::Tensor;

constexpr int kWeiszfeldSteps = 3;  // As ByzFL has it; Cairn goes on until weights no longer change.
constexpr double kWeiszfeldLeast = 0.1;
constexpr double kClippingRadius = 100;
constexpr double kClipNorm = 2;
constexpr std::int64_t kBucket = 2;
constexpr double kPairsWeight = 8;

Tensor Krum(const Tensor& x, std::int64_t faulty) {
  return x[KrumScores(SquaredDistances(x), faulty).argmin().item<std::int64_t>()].clone();
}

Tensor MultiKrum(const Tensor& x, std::int64_t faulty) {
  const Tensor scores = KrumScores(SquaredDistances(x), faulty);
  return MeanOf(x, std::get<1>(at::topk(scores, x.size(0) - faulty - 2, 0, /*largest=*/false)));
}

Tensor Bulyan(const Tensor& x, std::int64_t faulty) {
  const std::int64_t picks = x.size(0) - 2 * faulty;
  Tensor squared = SquaredDistances(x);
  Tensor left = at::arange(x.size(0));
  std::vector<Tensor> picked;
  for (std::int64_t i = 0; i < picks; ++i) {
    const Tensor among = squared.index_select(0, left).index_select(1, left);
    const std::int64_t neighbours = std::max<std::int64_t>(1, left.size(0) - faulty - 2);
    const Tensor scores = std::get<0>(at::sort(among, 1)).narrow(1, 1, neighbours).sum(1);
    const Tensor best = scores.argmin();
    picked.push_back(left.index_select(0, best.view(1)));
    left = left.masked_select(at::arange(left.size(0)).ne(best));
  }
  const Tensor chosen = x.index_select(0, at::cat(picked));
  return MeanNearest(chosen, std::get<0>(at::median(chosen, 0)), picks - 2 * faulty);
}

Tensor Monna(const Tensor& x, std::int64_t faulty) {
  const Tensor squared = (x - x[-1]).pow(2).sum(1);
  return MeanOf(x, std::get<1>(at::topk(squared, x.size(0) - faulty, 0, /*largest=*/false)));
}

// All subsets, one after the other.
Tensor LeastDiameter(const Tensor& x, std::int64_t faulty) {
  const Tensor squared = SquaredDistances(x).contiguous();
  const std::int64_t columns = x.size(0);
  std::vector<char> in(columns, 1);
  std::fill_n(in.begin(), faulty, 0);
  std::vector<std::int64_t> best;
  float best_value = std::numeric_limits<float>::infinity();
  do {
    std::vector<std::int64_t> subset;
    for (std::int64_t i = 0; i < columns; ++i) {
      if (in[i] != 0) subset.push_back(i);
    }
    float diameter = 0;
    for (const std::int64_t i : subset) {
      const float* const row = squared.data_ptr<float>() + i * columns;
      for (const std::int64_t j : subset) diameter = std::max(diameter, row[j]);
    }
    if (diameter < best_value) best = subset, best_value = diameter;
  } while (std::next_permutation(in.begin(), in.end()));
  return MeanOf(x, at::tensor(best));
}

Tensor GeometricMedian(const Tensor& x, std::int64_t) {
  Tensor z = x.mean(0);
  for (int i = 0; i < kWeiszfeldSteps; ++i) {
    const Tensor weights = 1 / (x - z).norm(2, 1).clamp_min(kWeiszfeldLeast);
    z = (x * (weights / weights.sum()).unsqueeze(1)).sum(0);
  }
  return z;
}

Tensor CenteredClipping(const Tensor& x, std::int64_t) { return Clipped(x, kClippingRadius).mean(0); }

// Covariance-bound filter, with the exact eigenpair: a singular value decomposition of all columns for each step.
Tensor CovarianceFilter(const Tensor& x, std::int64_t faulty) {
  const auto columns = static_cast<double>(x.size(0)), least = columns - 2.0 * static_cast<double>(faulty);
  Tensor counts = at::ones({x.size(0)}), best = x.mean(0);
  double best_value = std::numeric_limits<double>::infinity();
  while (counts.sum().item<double>() > least + 1e-6) {
    const Tensor shares = counts / counts.sum(), mean = shares.view({1, -1}).mm(x).squeeze(0), centred = x - mean;
    const auto [u, s, v] = at::linalg_svd((centred * shares.sqrt().unsqueeze(1)).t(), /*full_matrices=*/false);
    const double value = s[0].item<double>();
    if (value < best_value) best = mean, best_value = value;
    const Tensor scores = centred.mv(u.select(1, 0)).pow(2) * counts.gt(0);
    counts = counts * (1 - scores / scores.max());
  }
  return best;
}

Tensor DivideAndConquer(const Tensor& x, std::int64_t faulty) {
  const Tensor centred = x - x.mean(0);
  const Tensor direction = std::get<0>(at::linalg_svd(centred.t(), /*full_matrices=*/false)).select(1, 0);
  const Tensor scores = centred.mv(direction).pow(2);
  return MeanOf(x, std::get<1>(at::topk(scores, x.size(0) - faulty, 0, /*largest=*/false)));
}

Tensor Trust(const Tensor& x, std::int64_t) {
  const Tensor root = x[-1], norms = x.norm(2, 1);
  const Tensor trust = (x.mv(root) / (norms * root.norm())).clamp_min(0);
  return (x * (trust * root.norm() / norms / trust.sum()).unsqueeze(1)).sum(0);
}

// In the first round: histories are the updates.
Tensor FoolsGold(const Tensor& x, std::int64_t) {
  const Tensor unit = x / x.norm(2, 1).unsqueeze(1), cosines = unit.mm(unit.t()).fill_diagonal_(-1);
  const Tensor largest = std::get<0>(cosines.max(1));
  const Tensor pardon = (largest.unsqueeze(1) / largest.unsqueeze(0)).clamp_max(1);
  const Tensor scores = (1 - std::get<0>((cosines * pardon).max(1))).clamp(0, 1);
  const Tensor shares = (scores / scores.max()).clamp_max(0.99);
  const Tensor weights = ((shares / (1 - shares)).log() + 0.5).clamp(0, 1);
  return (x * weights.unsqueeze(1)).sum(0) / weights.sum();
}

Tensor Median(const Tensor& x, std::int64_t) { return std::get<0>(at::median(x, 0)); }
Tensor Meamed(const Tensor& x, std::int64_t faulty) { return MeanNearest(x, Median(x, faulty), x.size(0) - faulty); }
Tensor Phocas(const Tensor& x, std::int64_t faulty) {
  return MeanNearest(x, TrimmedMean(x, faulty), x.size(0) - faulty);
}
Tensor Sign(const Tensor& x, std::int64_t) { return x.sign().sum(0).sign(); }

std::map<std::string, LiteralRule> AllRules() {
  const auto krum_after = [](auto guard) {
    return [guard](const Tensor& x, std::int64_t faulty) { return Krum(guard(x, faulty), faulty); };
  };
  const auto flag_after = [](auto guard) {
    return [guard](const Tensor& x, std::int64_t faulty) { return Flag(guard(x, faulty), 0); };
  };
  const auto clip = [](const Tensor& x, std::int64_t) { return Clipped(x, kClipNorm); };
  const auto bucket = [](const Tensor& x, std::int64_t) { return Bucketed(x, kBucket); };
  // Bytes beside x: a sort has values and 8-byte indices, an SVD its input, its output and workspace.
  return {{"examples", {[](const Tensor& x, std::int64_t) { return x.mean(0); }, 0}},
          {"krum", {Krum, 1}},
          {"mda", {LeastDiameter, 2}},
          {"foolsgold", {FoolsGold, 2}},
          {"multi_krum", {MultiKrum, 2}},
          {"bulyan", {Bulyan, 6}},
          {"monna", {Monna, 2}},
          {"geometric_median", {GeometricMedian, 2}},
          {"centered_clipping", {CenteredClipping, 1}},
          {"caf", {CovarianceFilter, 6}},
          {"dnc", {DivideAndConquer, 5}},
          {"fltrust", {Trust, 1}},
          {"flag", {[](const Tensor& x, std::int64_t) { return Flag(x, 0); }, 6}},
          {"flag, lambda 8", {[](const Tensor& x, std::int64_t) { return Flag(x, kPairsWeight); }, 6.5, true}},
          {"median", {Median, 3}},
          {"trimmed_mean", {TrimmedMean, 3}},
          {"meamed", {Meamed, 6}},
          {"phocas", {Phocas, 6}},
          {"sign", {Sign, 1}},
          {"nnm + krum", {krum_after(NearestNeighbourMixing), 3}},
          {"arc + krum", {krum_after(AdaptivelyClipped), 2}},
          {"clip + krum", {krum_after(clip), 2}},
          {"bucketing + krum", {krum_after(bucket), 2}},
          {"nnm + flag", {flag_after(NearestNeighbourMixing), 8}},
          {"arc + flag", {flag_after(AdaptivelyClipped), 7}},
          {"clip + flag", {flag_after(clip), 7}},
          {"bucketing + flag", {flag_after(bucket), 7}}};
}

}  // namespace

const std::map<std::string, LiteralRule>& LiteralRules() {
  static const auto& rules = *new std::map<std::string, LiteralRule>(AllRules());
  return rules;
}

}  // namespace cairn::bench
