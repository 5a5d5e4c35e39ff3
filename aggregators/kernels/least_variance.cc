#include "aggregators/kernels/least_variance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "aggregators/kernels/largest_eigenvalue.h"

namespace cairn::kernels {
namespace {

// Variances that differ by less, as a part of themselves, are equal.
constexpr double kSameShare = 1e-12;
// So much above the best a subset is given up by its Cholesky factor, which rounds more than eigenvalues do: they
// decide between those that are closer.
constexpr double kSurelyAbove = 1e-9;

class Search {
 public:
  Search(const SmallMatrix& gram, std::size_t columns, std::size_t left_out)
      : gram_(gram),
        columns_(columns),
        size_(columns - left_out),
        factor_(SmallMatrix::Zero(size_, size_)),
        rest_(size_) {}

  LeastVariance Run() {
    Extend(0);
    return best_;
  }

 private:
  // Tries every subset that starts with `path_` and goes on with columns from `first` on.
  void Extend(std::size_t first) {
    if (path_.size() == size_) return Evaluate();
    for (std::size_t column = first; column + (size_ - path_.size()) <= columns_; ++column) {
      if (!MayVaryLess(column)) continue;
      path_.push_back(column);
      Extend(column + 1);
      path_.pop_back();
      factored_ = std::min(factored_, path_.size());
    }
  }

  // <x_i - x_r, x_j - x_r>, where r is the first of the path, so that identical columns give 0 exactly. i <= j.
  double Inner(std::size_t i, std::size_t j) const {
    const std::size_t r = path_[0];
    return (gram_.at(i, j) - gram_.at(r, j)) + (gram_.at(r, r) - gram_.at(i, r));
  }

  // H K_S H of the path.
  SmallMatrix Centred() const {
    SmallMatrix matrix = SmallMatrix::Zero(size_, size_);
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = i; j < size_; ++j) matrix.at(i, j) = matrix.at(j, i) = Inner(path_[i], path_[j]);
    }
    std::vector<double> means(size_);
    double mean = 0;
    const auto size = static_cast<double>(size_);
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = 0; j < size_; ++j) means[i] += matrix.at(i, j) / size;
      mean += means[i] / size;
    }
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = 0; j < size_; ++j) matrix.at(i, j) -= (means[i] + means[j]) - mean;
    }
    return matrix;
  }

  void Evaluate() {
    const double variance = std::max(0.0, LargestEigenvalue(Centred())) / static_cast<double>(size_);
    if (variance >= best_.variance * (1 - kSameShare)) return;
    best_ = {path_, variance};
    bound_ = variance * static_cast<double>(size_) * (1 + kSurelyAbove);
    factored_ = 0;
  }

  // Whether the path and `column` vary less than the bound along every direction: less of their squares adds up.
  //
  // With Y = [x_i - x_r] of the m - 1 columns after r, their scatter is Y P Y^T, P = I - 1 1^T / m. It is below b in
  // all directions if and only if b P^-1 - Y^T Y is positive definite, and P^-1 = I + 1 1^T. No entry depends on m, so
  // a further column adds one row to the Cholesky factor.
  bool MayVaryLess(std::size_t column) {
    if (best_.subset.empty()) return true;
    for (; factored_ < path_.size(); ++factored_) {  // After a new bound.
      if (!AddRow(factored_, path_[factored_])) return false;
    }
    if (!AddRow(factored_, column)) return false;
    ++factored_;
    return true;
  }

  // The factor's row `at`, which belongs to `column`; row 0 would be r's and is not there. False: not positive.
  bool AddRow(std::size_t at, std::size_t column) {
    if (at == 0) return true;
    double pivot = 2 * bound_ - SquaredDistance(gram_, path_[0], column);
    for (std::size_t k = 1; k < at; ++k) rest_[k] = bound_ - Inner(path_[k], column);
    for (std::size_t k = 1; k < at && pivot > 0; ++k) {
      const double* below = &factor_.values[k * size_];
      const double value = rest_[k] / below[k];
      for (std::size_t i = k + 1; i < at; ++i) rest_[i] -= value * below[i];
      factor_.at(k, at) = value;
      pivot -= value * value;
    }
    if (!(pivot > 0)) return false;
    factor_.at(at, at) = std::sqrt(pivot);
    return true;
  }

  const SmallMatrix& gram_;
  const std::size_t columns_, size_;
  std::vector<std::size_t> path_;
  LeastVariance best_{{}, std::numeric_limits<double>::infinity()};
  double bound_ = 0;          // Of the scatter, |S| times the variance.
  SmallMatrix factor_;        // [k, i]: value k of row i, for i >= k, so that a row's values lie apart.
  std::vector<double> rest_;  // Scratch.
  std::size_t factored_ = 0;  // Rows of the factor that belong to the path and the bound.
};

}  // namespace

LeastVariance FindLeastVariance(const SmallMatrix& gram, std::size_t columns, std::size_t left_out) {
  return Search(gram, columns, left_out).Run();
}

}  // namespace cairn::kernels
