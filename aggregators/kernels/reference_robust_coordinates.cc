#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "aggregators/kernels/reference_robust.h"

namespace cairn::kernels::reference {
namespace {

// One coordinate after the other: `rule` gets that coordinate of all columns, ascending.
Vector PerCoordinate(const Columns& x, const std::function<double(const Vector&)>& rule) {
  Vector out;
  for (std::size_t k = 0; k < x[0].size(); ++k) {
    Vector values;
    for (const Vector& column : x) values.push_back(column[k]);
    std::sort(values.begin(), values.end());
    out.push_back(rule(values));
  }
  return out;
}

double MiddleOf(const Vector& values) {
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : values[half - 1] / 2 + values[half] / 2;
}

double MeanOfValues(const Vector& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Trimmed(const Vector& values, std::size_t f) { return MeanOfValues({values.begin() + f, values.end() - f}); }

double MeanOfNearest(const Vector& values, double centre, std::size_t count) {
  Vector distances, nearest;
  for (const double value : values) distances.push_back(std::abs(value - centre));
  for (const std::size_t i : Smallest(distances, count)) nearest.push_back(values[i]);
  return MeanOfValues(nearest);
}

}  // namespace

Vector Median(const Columns& x) { return PerCoordinate(x, MiddleOf); }

Vector TrimmedMean(const Columns& x, std::size_t f) {
  return PerCoordinate(x, [&](const Vector& values) { return Trimmed(values, f); });
}

Vector Meamed(const Columns& x, std::size_t count) {
  return PerCoordinate(x, [&](const Vector& values) { return MeanOfNearest(values, MiddleOf(values), count); });
}

Vector Phocas(const Columns& x, std::size_t f) {
  return PerCoordinate(
      x, [&](const Vector& values) { return MeanOfNearest(values, Trimmed(values, f), values.size() - f); });
}

Vector SignVote(const Columns& x, double step) {
  return PerCoordinate(x, [&](const Vector& values) {
    const auto above = std::count_if(values.begin(), values.end(), [](double value) { return value > 0; });
    const auto below = std::count_if(values.begin(), values.end(), [](double value) { return value < 0; });
    return above == below ? 0 : above > below ? step : -step;
  });
}

}  // namespace cairn::kernels::reference
