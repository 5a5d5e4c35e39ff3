#include "aggregators/kernels/least_diameter.h"

#include <algorithm>
#include <limits>

namespace cairn::kernels {
namespace {

struct Pair {
  std::size_t first = 0, second = 0;
  double squared_distance = 0;
};

class Search {
 public:
  Search(const SmallMatrix& gram, std::size_t columns, std::size_t left_out)
      : gram_(gram), columns_(columns), left_out_(left_out), states_(columns, State::kOpen) {}

  LeastDiameter Run() {
    FindDiameter(left_out_);
    FindTooWide();
    return {FirstSubset(), diameter_};
  }

 private:
  enum class State { kOpen, kKept, kRemoved };

  // The two columns farthest apart among those that are not removed.
  Pair Farthest() const {
    Pair farthest;
    for (std::size_t i = 0; i < columns_; ++i) {
      if (states_[i] == State::kRemoved) continue;
      for (std::size_t j = i + 1; j < columns_; ++j) {
        if (states_[j] == State::kRemoved) continue;
        const double squared = SquaredDistance(gram_, i, j);
        if (squared > farthest.squared_distance) farthest = {i, j, squared};
      }
    }
    return farthest;
  }

  // The least diameter when up to `removals` more are removed.
  void FindDiameter(std::size_t removals) {
    const Pair farthest = Farthest();
    if (removals == 0 || farthest.squared_distance == 0) {
      diameter_ = std::min(diameter_, farthest.squared_distance);
      return;
    }
    for (const std::size_t column : {farthest.first, farthest.second}) {
      states_[column] = State::kRemoved;
      FindDiameter(removals - 1);
      states_[column] = State::kOpen;
    }
  }

  // Pairs that no subset of least diameter has. `left_out` columns cover them all, so there are at most
  // left_out * columns.
  void FindTooWide() {
    for (std::size_t i = 0; i < columns_; ++i) {
      for (std::size_t j = i + 1; j < columns_; ++j) {
        const double squared = SquaredDistance(gram_, i, j);
        if (squared > diameter_) too_wide_.push_back({i, j, squared});
      }
    }
  }

  // Whether removing up to `removals` open columns leaves none of the pairs from `pair` on.
  bool Coverable(std::size_t pair, std::size_t removals) {
    while (pair < too_wide_.size() &&
           (states_[too_wide_[pair].first] == State::kRemoved || states_[too_wide_[pair].second] == State::kRemoved)) {
      ++pair;
    }
    if (pair == too_wide_.size()) return true;
    if (removals == 0) return false;
    for (const std::size_t column : {too_wide_[pair].first, too_wide_[pair].second}) {
      if (states_[column] != State::kOpen) continue;
      states_[column] = State::kRemoved;
      const bool coverable = Coverable(pair + 1, removals - 1);
      states_[column] = State::kOpen;
      if (coverable) return true;
    }
    return false;
  }

  // Keeps each column, in order, that some subset of least diameter has together with those kept before.
  std::vector<std::size_t> FirstSubset() {
    std::vector<std::size_t> subset;
    std::size_t removals = left_out_;
    for (std::size_t i = 0; subset.size() < columns_ - left_out_; ++i) {
      states_[i] = State::kKept;
      if (Coverable(0, removals)) {
        subset.push_back(i);
      } else {
        states_[i] = State::kRemoved;
        --removals;
      }
    }
    return subset;
  }

  const SmallMatrix& gram_;
  const std::size_t columns_, left_out_;
  std::vector<State> states_;
  double diameter_ = std::numeric_limits<double>::infinity();
  std::vector<Pair> too_wide_;
};

}  // namespace

LeastDiameter FindLeastDiameter(const SmallMatrix& gram, std::size_t columns, std::size_t left_out) {
  return Search(gram, columns, left_out).Run();
}

}  // namespace cairn::kernels
