// Means, spreads and norms of updates as plain vectors.
#pragma once

#include <vector>

#include "absl/types/span.h"

namespace cairn::attacks {

using Vector = std::vector<double>;
using Vectors = absl::Span<const Vector>;  // At least one, all of one length.

Vector MeanOf(Vectors vectors);
// The standard deviation of every coordinate around the mean, with count - 1 (ddof 1). Zero for a single vector.
Vector DeviationOf(Vectors vectors);

double Dot(const Vector& x, const Vector& y);
double NormOf(const Vector& x);
// The middle one, or the mean of the two in the middle.
double MedianNormOf(Vectors vectors);

Vector Scaled(double factor, Vector x);
// y += factor * x
void AddScaled(double factor, const Vector& x, Vector& y);

}  // namespace cairn::attacks
