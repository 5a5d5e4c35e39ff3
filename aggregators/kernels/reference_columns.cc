#include "aggregators/kernels/reference_columns.h"

#include <cmath>
#include <random>

namespace cairn::kernels::reference {

std::vector<Column> RandomColumns(std::uint64_t seed, std::size_t count, std::size_t length, double size) {
  std::mt19937_64 random(seed);
  std::vector<Column> columns(count, Column(length));
  for (Column& column : columns) {
    for (double& value : column) value = size * (static_cast<double>(random() >> 11) * 0x1p-52 - 1);
  }
  return columns;
}

double InnerProduct(const Column& x, const Column& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

double NormOf(const Column& x) { return std::sqrt(InnerProduct(x, x)); }

Column Difference(const Column& x, const Column& y) {
  Column out = x;
  for (std::size_t i = 0; i < x.size(); ++i) out[i] -= y[i];
  return out;
}

Column Times(double factor, Column x) {
  for (double& value : x) value *= factor;
  return x;
}

Column CombinationOf(const std::vector<Column>& columns, const std::vector<double>& weights) {
  Column sum(columns[0].size());
  for (std::size_t j = 0; j < columns.size(); ++j) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weights[j] * columns[j][i];
  }
  return sum;
}

Column MeanOf(const std::vector<Column>& columns) {
  return CombinationOf(columns, std::vector<double>(columns.size(), 1 / static_cast<double>(columns.size())));
}

SmallMatrix GramOf(const std::vector<Column>& columns) {
  SmallMatrix gram = SmallMatrix::Zero(columns.size(), columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t j = 0; j < columns.size(); ++j) gram.at(i, j) = InnerProduct(columns[i], columns[j]);
  }
  return gram;
}

}  // namespace cairn::kernels::reference
