#include "aggregators/kernels/cluster.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace cairn::kernels {
namespace {

constexpr int kStepsMax = 100;
// Of the largest squared norm: differences of squared distances that may be rounding alone. They decide nothing, so
// that a tie is a tie however the inner products were summed.
constexpr double kSameShare = 1e-12;

class Lloyd {
 public:
  Lloyd(absl::Span<const double> gram, absl::Span<const double> weights)
      : gram_(gram), weights_(weights), n_(weights.size()), same_(kSameShare * LargestNorm()) {}

  Clustering Run(std::int64_t k) {
    ChooseCentres(k);
    bool moved = true;
    for (int step = 0; moved && step < kStepsMax; ++step) {
      Average();
      const bool changed = Assign();
      moved = Refill() || changed;
    }
    DropEmpty();
    Average();
    return {clusters_, of_, coefficients_};
  }

 private:
  double At(std::size_t i, std::size_t j) const { return gram_[i * n_ + j]; }
  double LargestNorm() const {
    double largest = 0;
    for (std::size_t i = 0; i < n_; ++i) largest = std::max(largest, At(i, i));
    return largest;
  }

  // The vector of largest weight * distance; n_ when all distances are none.
  std::size_t Farthest(const std::vector<double>& distances) const {
    std::size_t farthest = n_;
    for (std::size_t i = 0; i < n_; ++i) {
      if (distances[i] <= same_) continue;
      if (farthest == n_ || weights_[i] * distances[i] > weights_[farthest] * (distances[farthest] + same_))
        farthest = i;
    }
    return farthest;
  }

  // Every vector joins the nearest centre; centres are vectors here.
  void ChooseCentres(std::int64_t k) {
    of_.assign(n_, 0);
    signs_.assign(n_, 1);
    std::vector<double> distances(n_);
    for (std::size_t i = 0; i < n_; ++i) distances[i] = At(i, i);
    for (clusters_ = 0; clusters_ < k; ++clusters_) {
      const std::size_t centre = Farthest(distances);
      if (centre == n_) break;
      for (std::size_t i = 0; i < n_; ++i) {
        const double dot = At(i, centre), squared = At(i, i) + At(centre, centre) - 2 * std::abs(dot);
        if (clusters_ > 0 && squared >= distances[i] - same_) continue;
        distances[i] = i == centre ? 0 : squared;
        of_[i] = clusters_;
        signs_[i] = dot < -same_ ? -1 : 1;
      }
    }
    clusters_ = std::max<std::int64_t>(clusters_, 1);  // All vectors are zero.
  }

  void Average() {
    std::vector<double> totals(clusters_);
    for (std::size_t i = 0; i < n_; ++i) totals[of_[i]] += weights_[i];
    coefficients_.resize(n_);
    for (std::size_t i = 0; i < n_; ++i) coefficients_[i] = signs_[i] * weights_[i] / totals[of_[i]];
  }

  // Whether a vector changed its cluster.
  bool Assign() {
    // dots[i, c] = <x_i, centre c>; norms[c] = <centre c, centre c>.
    std::vector<double> dots(n_ * clusters_), norms(clusters_);
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) dots[i * clusters_ + of_[j]] += coefficients_[j] * At(i, j);
    }
    for (std::size_t i = 0; i < n_; ++i) norms[of_[i]] += coefficients_[i] * dots[i * clusters_ + of_[i]];
    bool moved = false;
    distances_.assign(n_, std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < n_; ++i) {
      const std::int64_t before = of_[i];
      for (std::int64_t c = 0; c < clusters_; ++c) {
        const double dot = dots[i * clusters_ + c], squared = At(i, i) + norms[c] - 2 * std::abs(dot);
        if (squared >= distances_[i] - same_) continue;
        distances_[i] = squared;
        of_[i] = c;
        signs_[i] = dot < -same_ ? -1 : 1;
      }
      moved = moved || of_[i] != before;
    }
    return moved;
  }

  // Whether a cluster was empty and got a vector.
  bool Refill() {
    bool refilled = false;
    std::vector<std::int64_t> sizes(clusters_);
    for (const std::int64_t cluster : of_) ++sizes[cluster];
    for (std::int64_t c = 0; c < clusters_; ++c) {
      if (sizes[c] > 0) continue;
      const std::size_t taken = Farthest(distances_);
      if (taken == n_ || sizes[of_[taken]] == 1) continue;
      --sizes[of_[taken]];
      of_[taken] = c;
      sizes[c] = 1;
      distances_[taken] = 0;
      refilled = true;
    }
    return refilled;
  }

  void DropEmpty() {
    std::vector<std::int64_t> names(clusters_, -1);
    clusters_ = 0;
    for (std::int64_t& cluster : of_) {
      if (names[cluster] < 0) names[cluster] = clusters_++;
      cluster = names[cluster];
    }
  }

  absl::Span<const double> gram_, weights_;
  std::size_t n_;
  double same_;
  std::int64_t clusters_ = 0;
  std::vector<std::int64_t> of_;
  std::vector<double> signs_, coefficients_, distances_;
};

}  // namespace

Clustering KMeans(absl::Span<const double> gram, absl::Span<const double> weights, std::int64_t k) {
  return Lloyd(gram, weights).Run(k);
}

}  // namespace cairn::kernels
