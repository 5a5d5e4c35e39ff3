// LoRA-LEGO (Zhao et al., arXiv 2409.16167): the rank units (b_j, a_j) of all clients are clustered by k-means, and
// each cluster becomes one unit. Takes any ranks; not exact. docs/rules.md derives the weights.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/averages.h"
#include "aggregators/kernels/cluster.h"
#include "aggregators/module_values.h"
#include "aggregators/registry.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// The units of all clients, side by side: a [count, d_in], b [d_out, count], row-major. The scale is in b.
struct Units {
  std::vector<double> a, b;
  std::vector<double> weights, norms;  // Of every unit: its client's weight, and ||(b_j, a_j)||.
  std::int64_t d_out = 0, count = 0, d_in = 0;
  double mean_rank = 0;  // Of the clients, by weight.

  kernels::FactorPair<double> pair() const { return {a, b, d_out, count, d_in}; }
};

absl::StatusOr<Units> UnitsOf(absl::Span<const WeightedModule> inputs) {
  Units units{.d_out = inputs[0].module->d_out, .d_in = inputs[0].module->d_in};
  for (const auto& [weight, module] : inputs) units.count += module->rank;
  units.b.resize(units.d_out * units.count);
  for (const auto& [weight, module] : inputs) {
    CAIRN_ASSIGN_OR_RETURN(const ModuleValues own, ReadValues(*module));
    const auto at = static_cast<std::int64_t>(units.weights.size());
    for (std::int64_t i = 0; i < units.d_out; ++i) {
      for (std::int64_t k = 0; k < own.rank; ++k) {
        units.b[i * units.count + at + k] = own.scale * own.b[i * own.rank + k];
      }
    }
    units.a.insert(units.a.end(), own.a.begin(), own.a.end());
    units.weights.insert(units.weights.end(), own.rank, weight);
    units.mean_rank += weight * static_cast<double>(own.rank);
  }
  units.mean_rank /= TotalWeight(inputs);
  return units;
}

// Gives both factors of a unit one norm, so that it does not matter how a client split it. A unit whose product is zero
// stays as it is.
void Balance(Units& units) {
  std::vector<double> squares(units.count);
  for (std::size_t at = 0; at < units.b.size(); ++at) squares[at % units.count] += units.b[at] * units.b[at];
  std::vector<double> factors(units.count, 1);
  for (std::int64_t k = 0; k < units.count; ++k) {
    double square = 0;
    for (std::int64_t j = 0; j < units.d_in; ++j) square += std::pow(units.a[k * units.d_in + j], 2);
    if (square > 0 && squares[k] > 0) factors[k] = std::sqrt(std::sqrt(square / squares[k]));
    for (std::int64_t j = 0; j < units.d_in; ++j) units.a[k * units.d_in + j] /= factors[k];
  }
  for (std::size_t at = 0; at < units.b.size(); ++at) units.b[at] *= factors[at % units.count];
}

// One unit for each cluster; where there are fewer than `rank`, zeros follow.
class Merged {
 public:
  Merged(const Units& units, const kernels::Clustering& clustering, std::int64_t rank)
      : units_(units), clustering_(clustering), rank_(rank), a_(rank * units.d_in), b_(units.d_out * rank) {
    AddUpCentres();
    const std::vector<double> factors = Factors();
    for (std::int64_t c = 0; c < clustering.clusters; ++c) {
      for (std::int64_t j = 0; j < units.d_in; ++j) a_[c * units.d_in + j] *= factors[c];
      for (std::int64_t i = 0; i < units.d_out; ++i) b_[i * rank + c] *= factors[c];
    }
  }
  // A and B.
  std::pair<FactorPtr, FactorPtr> Take() && {
    return {ValuesOf(std::move(a_), rank_, units_.d_in), ValuesOf(std::move(b_), units_.d_out, rank_)};
  }

 private:
  void AddUpCentres() {
    for (std::int64_t k = 0; k < units_.count; ++k) {
      const std::int64_t to = clustering_.of[k];
      const double share = clustering_.coefficients[k];
      for (std::int64_t j = 0; j < units_.d_in; ++j) a_[to * units_.d_in + j] += share * units_.a[k * units_.d_in + j];
      for (std::int64_t i = 0; i < units_.d_out; ++i) b_[i * rank_ + to] += share * units_.b[i * units_.count + k];
    }
  }

  // By cluster, what both factors of its centre are multiplied by:
  //   the centre gets the norm that the members have on average: the mean of different vectors is shorter than they;
  //   the product is that times W sqrt(k / r): W the weight of the members, k the number of clusters, r the mean rank.
  std::vector<double> Factors() const {
    std::vector<double> weights(clustering_.clusters), norms(clustering_.clusters), factors(clustering_.clusters);
    for (std::int64_t k = 0; k < units_.count; ++k) {
      weights[clustering_.of[k]] += units_.weights[k];
      norms[clustering_.of[k]] += std::abs(clustering_.coefficients[k]) * units_.norms[k];
    }
    const double spread = std::sqrt(static_cast<double>(clustering_.clusters) / units_.mean_rank);
    for (std::int64_t c = 0; c < clustering_.clusters; ++c) {
      const double norm = CentreNorm(c);
      factors[c] = (norm > 0 ? norms[c] / norm : 1) * std::sqrt(weights[c] * spread);
    }
    return factors;
  }

  double CentreNorm(std::int64_t cluster) const {
    double square = 0;
    for (std::int64_t j = 0; j < units_.d_in; ++j) square += std::pow(a_[cluster * units_.d_in + j], 2);
    for (std::int64_t i = 0; i < units_.d_out; ++i) square += std::pow(b_[i * rank_ + cluster], 2);
    return std::sqrt(square);
  }

  const Units& units_;
  const kernels::Clustering& clustering_;
  const std::int64_t rank_;
  std::vector<double> a_, b_;
};

class RankCluster final : public Aggregator {
 public:
  static absl::StatusOr<std::unique_ptr<Aggregator>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const std::int64_t k, options.TakeInteger("k", 0, 1, limits::kRankMax));
    return std::make_unique<RankCluster>(k);
  }
  // `k`: the number of clusters; 0 for the highest rank of any client.
  explicit RankCluster(std::int64_t k) : k_(k) {}

  absl::string_view name() const override { return "rank_cluster"; }
  Locality locality() const override { return Locality::kShardLocal; }
  RoundStart round_start() const override { return RoundStart::kWarm; }

 protected:
  absl::Status DoCheck(const ClientUpdate& update) const override {
    for (const LoraModule& module : update.adapter->modules) {
      if (k_ == 0 || module.layer.groups == 1) continue;
      return absl::InvalidArgumentError(absl::StrCat("combine rank_cluster: module ", module.name, " of client ",
                                                     update.client, " has groups, which are clustered one by one; ",
                                                     "expected no option k, got k=", k_));
    }
    return absl::OkStatus();
  }
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override {
    return k_ > 0 ? std::min(k_, so_far + added) : std::max(so_far, added);
  }

  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    CAIRN_ASSIGN_OR_RETURN(Units units, UnitsOf(inputs));
    Balance(units);
    CAIRN_ASSIGN_OR_RETURN(const std::vector<double> gram, kernels::UnitInnerProducts(units.pair()));
    const std::int64_t rank = std::min(k_ > 0 ? k_ : WidestRank(inputs), units.count);
    for (std::int64_t k = 0; k < units.count; ++k) units.norms.push_back(std::sqrt(gram[k * units.count + k]));
    const kernels::Clustering clustering = kernels::KMeans(gram, units.weights, rank);
    auto [a, b] = Merged(units, clustering, rank).Take();
    return Factors{std::move(a), std::move(b)};
  }

 private:
  const std::int64_t k_;
};

CAIRN_REGISTER_COMBINE("rank_cluster", RankCluster);

}  // namespace
}  // namespace cairn
