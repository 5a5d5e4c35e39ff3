#include "simulation/attacks/normal_quantile.h"

#include <cmath>
#include <numbers>

namespace cairn::attacks {
namespace {

double Density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

// P(X <= x), without cancellation for x << 0.
double Below(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

}  // namespace

// Newton's method on the logarithm of the distribution, which is concave: from a start on the left it never oversteps.
double NormalQuantile(double probability) {
  if (probability > 0.5) return -NormalQuantile(1 - probability);
  constexpr int kStepsMax = 100;
  double x = -std::sqrt(-2 * std::log(probability));  // P(X <= x) is half of `probability` at most.
  for (int step = 0; step < kStepsMax; ++step) {
    const double change = std::log(probability / Below(x)) * Below(x) / Density(x);
    x += change;
    if (std::abs(change) <= 1e-15 * (1 + std::abs(x))) break;
  }
  return x;
}

}  // namespace cairn::attacks
