#include "aggregators/kernels/reference_flag.h"

#include <algorithm>
#include <cmath>

#include "aggregators/kernels/reference_eigen.h"

namespace cairn::kernels::reference {
namespace {

class LiteralFlag {
 public:
  LiteralFlag(const FlagSetup& setup, const std::vector<Column>& updates)
      : setup_(setup), n_(static_cast<double>(updates.size())), updates_(updates) {
    for (const Column& x : updates) units_.push_back(Unit(x));
  }

  Column Result() {
    for (int i = 0; i < setup_.iterations; ++i) {
      const std::vector<double> before = Held();
      TakeSubspace(Augmented());
      double change = 0;
      for (std::size_t k = 0; k < units_.size(); ++k) change = std::max(change, std::abs(Held()[k] - before[k]));
      if (change <= 1e-10) break;
    }
    const Column mean = setup_.paper ? MeanOf(updates_) : Times(n_ / static_cast<double>(setup_.m), MeanOf(units_));
    Column result(mean.size());
    for (const Column& y : subspace_) result = Difference(result, Times(-InnerProduct(y, mean), y));
    return result;
  }

 private:
  static Column Unit(const Column& x) { return NormOf(x) > 0 ? Times(1 / NormOf(x), x) : x; }

  double Held(const Column& x) const {
    double sum = 0;
    for (const Column& y : subspace_) sum += InnerProduct(y, x) * InnerProduct(y, x);
    return sum;
  }
  std::vector<double> Held() const {
    std::vector<double> held;
    for (const Column& x : units_) held.push_back(Held(x));
    return held;
  }

  // (|1 - v| + epsilon)^(-1/4): the root of the weight of an outer product.
  double Root(const Column& x) const { return std::pow(std::abs(1 - Held(x)) + 1e-7, -0.25); }

  std::vector<Column> Augmented() const {
    const double lambda = setup_.lambda;
    const double factor = setup_.paper ? std::sqrt(lambda / (n_ - 1)) : lambda / (n_ * (n_ - 1));
    std::vector<Column> columns;
    for (const Column& x : units_) columns.push_back(Times(Root(x), x));
    for (std::size_t i = 0; i < updates_.size(); ++i) {
      for (std::size_t j = 0; j < updates_.size(); ++j) {
        if (i == j) continue;
        const Column difference =
            setup_.paper ? Unit(Difference(updates_[i], updates_[j])) : Difference(units_[i], units_[j]);
        columns.push_back(Times(factor * Root(difference), difference));
      }
    }
    return columns;
  }

  void TakeSubspace(const std::vector<Column>& columns) {
    const std::size_t length = columns[0].size();
    SmallMatrix sum = SmallMatrix::Zero(length, length);
    for (const Column& x : columns) {
      for (std::size_t i = 0; i < length; ++i) {
        for (std::size_t j = 0; j < length; ++j) sum.at(i, j) += x[i] * x[j];
      }
    }
    subspace_.clear();
    const std::vector<EigenPair> pairs = EigenPairs(sum);
    for (const EigenPair& pair : pairs) {
      if (subspace_.size() < setup_.m && pair.value > 8 * n_ * 0x1p-53 * pairs[0].value) {
        subspace_.push_back(pair.vector);
      }
    }
  }

  FlagSetup setup_;
  double n_;
  std::vector<Column> updates_, units_, subspace_;
};

}  // namespace

Column FlagResult(const FlagSetup& setup, const std::vector<Column>& updates) {
  return LiteralFlag(setup, updates).Result();
}

}  // namespace cairn::kernels::reference
