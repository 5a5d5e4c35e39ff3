// Updates as plain vectors, for tests of what is computed from their inner products. For tests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels::reference {

using Column = std::vector<double>;

// Values uniform in [-size, size), the same for the same seed.
std::vector<Column> RandomColumns(std::uint64_t seed, std::size_t count, std::size_t length, double size = 1);

double InnerProduct(const Column& x, const Column& y);
double NormOf(const Column& x);
Column Difference(const Column& x, const Column& y);
Column Times(double factor, Column x);
Column CombinationOf(const std::vector<Column>& columns, const std::vector<double>& weights);
Column MeanOf(const std::vector<Column>& columns);

SmallMatrix GramOf(const std::vector<Column>& columns);

}  // namespace cairn::kernels::reference
