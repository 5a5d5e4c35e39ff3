#include "aggregators/kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace cairn::kernels::reference {
namespace {

void AddScaled(const Matrix& x, double factor, Matrix& sum) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.columns; ++j) sum.at(i, j) += factor * x.at(i, j);
  }
}

Matrix Padded(const Matrix& x, std::int64_t rows, std::int64_t columns) {
  Matrix out = Matrix::Zero(rows, columns);
  AddScaled(x, 1, out);
  return out;
}

std::int64_t MaxRank(absl::Span<const Update> updates) {
  std::int64_t rank = 0;
  for (const Update& update : updates) rank = std::max(rank, update.a.rows);
  return rank;
}

}  // namespace

Matrix Matrix::Zero(std::int64_t rows, std::int64_t columns) {
  return {rows, columns, std::vector<double>(static_cast<std::size_t>(rows * columns), 0.0)};
}

Matrix Product(const Matrix& left, const Matrix& right) {
  Matrix out = Matrix::Zero(left.rows, right.columns);
  for (std::int64_t i = 0; i < left.rows; ++i) {
    for (std::int64_t j = 0; j < right.columns; ++j) {
      for (std::int64_t k = 0; k < left.columns; ++k) out.at(i, j) += left.at(i, k) * right.at(k, j);
    }
  }
  return out;
}

Matrix DenseSum(absl::Span<const Update> updates) {
  Matrix sum = Matrix::Zero(updates.front().b.rows, updates.front().a.columns);
  for (const Update& update : updates) AddScaled(Product(update.b, update.a), update.weight * update.scale, sum);
  return sum;
}

Factors AverageFactors(absl::Span<const Update> updates) {
  const std::int64_t rank = MaxRank(updates);
  const std::int64_t d_in = updates.front().a.columns, d_out = updates.front().b.rows;
  double total = 0;
  for (const Update& update : updates) total += update.weight;
  Factors mean{Matrix::Zero(rank, d_in), Matrix::Zero(d_out, rank)};
  for (const Update& update : updates) {
    AddScaled(Padded(update.a, rank, d_in), update.weight / total, mean.a);
    AddScaled(Padded(update.b, d_out, rank), update.weight * update.scale, mean.b);
  }
  return mean;
}

double MaxDifference(const Matrix& x, const Matrix& y) {
  if (x.rows != y.rows || x.columns != y.columns) return std::numeric_limits<double>::infinity();
  Matrix difference = x;
  AddScaled(y, -1, difference);
  return MaxAbs(difference);
}

double MaxAbs(const Matrix& x) {
  double largest = 0;
  for (const double value : x.values) largest = std::max(largest, std::abs(value));
  return largest;
}

}  // namespace cairn::kernels::reference
