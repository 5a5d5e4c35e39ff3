// Vectors of R^d, and what the slow twins of rules do with them: everything as written down, nothing through inner
// products of pairs. For tests only.
#pragma once

#include <cstddef>
#include <vector>

namespace cairn::kernels::reference {

using Vector = std::vector<double>;
using Columns = std::vector<Vector>;  // Of equal length.

double Dot(const Vector& x, const Vector& y);
double Norm(const Vector& x);
Vector Scaled(Vector x, double factor);
Vector Minus(Vector x, const Vector& y);
void AddScaled(const Vector& x, double factor, Vector& sum);
double SquaredDistance(const Vector& x, const Vector& y);
// x / ||x||; zero stays zero.
Vector Unit(const Vector& x);

// The sum of weights[i] * columns[i].
Vector Combination(const Columns& columns, const Vector& weights);
// Of those columns; and of all.
Vector MeanOf(const Columns& columns, const std::vector<std::size_t>& which);
Vector Mean(const Columns& columns);

// 0, 1, ..., count - 1 in ascending order of `values`; equal ones in ascending order of index.
std::vector<std::size_t> Ascending(const Vector& values);
// The first `count` of them.
std::vector<std::size_t> Smallest(const Vector& values, std::size_t count);

// The left singular vectors of the matrix with these columns, and its singular values; both descending. By rotating
// pairs of columns, or of rows if these are fewer, until all are orthogonal (one-sided Jacobi).
struct LeftSingular {
  Vector values;
  Columns vectors;  // Without meaning where the value is 0 but for rounding.
};
LeftSingular LeftSingularOf(const Columns& columns);

}  // namespace cairn::kernels::reference
