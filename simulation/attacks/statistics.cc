#include "simulation/attacks/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cairn::attacks {

Vector MeanOf(Vectors vectors) {
  Vector sum(vectors.front().size());
  for (const Vector& vector : vectors) AddScaled(1, vector, sum);
  return Scaled(1.0 / static_cast<double>(vectors.size()), std::move(sum));
}

Vector DeviationOf(Vectors vectors) {
  const Vector mean = MeanOf(vectors);
  Vector out(mean.size());
  if (vectors.size() < 2) return out;
  for (const Vector& vector : vectors) {
    for (std::size_t k = 0; k < out.size(); ++k) out[k] += (vector[k] - mean[k]) * (vector[k] - mean[k]);
  }
  for (double& value : out) value = std::sqrt(value / static_cast<double>(vectors.size() - 1));
  return out;
}

double Dot(const Vector& x, const Vector& y) { return std::inner_product(x.begin(), x.end(), y.begin(), 0.0); }

double NormOf(const Vector& x) { return std::sqrt(Dot(x, x)); }

double MedianNormOf(Vectors vectors) {
  std::vector<double> norms;
  for (const Vector& vector : vectors) norms.push_back(NormOf(vector));
  std::sort(norms.begin(), norms.end());
  return (norms[(norms.size() - 1) / 2] + norms[norms.size() / 2]) / 2;
}

Vector Scaled(double factor, Vector x) {
  for (double& value : x) value *= factor;
  return x;
}

void AddScaled(double factor, const Vector& x, Vector& y) {
  for (std::size_t k = 0; k < y.size(); ++k) y[k] += factor * x[k];
}

}  // namespace cairn::attacks
