#include "aggregators/outcome_tally.h"

#include <algorithm>

#include "aggregators/kernels/add_scaled.h"

namespace cairn {
namespace {

absl::Span<const double> Widened(absl::Span<const double> y, std::vector<double>&) { return y; }
absl::Span<const double> Widened(absl::Span<const float> y, std::vector<double>& copy) {
  copy.assign(y.begin(), y.end());
  return copy;
}

}  // namespace

template <typename T>
void OutcomeTally::Add(absl::Span<const std::size_t> clients, absl::Span<const T* const> x, absl::Span<const T> y) {
  std::vector<double> copy;
  const absl::Span<const double> wide = Widened(y, copy);
  const double result = kernels::PairSumsOf(y, wide).own;
  std::vector<kernels::PairSums> sums;
  for (const T* values : x) sums.push_back(kernels::PairSumsOf(absl::MakeConstSpan(values, y.size()), wide));
  const std::lock_guard lock(mutex_);
  sums_.Add(3 * clients_, result);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    sums_.Add(clients[i], sums[i].own);
    sums_.Add(clients_ + clients[i], sums[i].inner);
    sums_.Add(2 * clients_ + clients[i], sums[i].apart - result);
  }
}

template void OutcomeTally::Add(absl::Span<const std::size_t>, absl::Span<const float* const>, absl::Span<const float>);
template void OutcomeTally::Add(absl::Span<const std::size_t>, absl::Span<const double* const>,
                                absl::Span<const double>);

double OutcomeTally::apart(std::size_t client) const {
  return std::max(0.0, sums_.Total(2 * clients_ + client) + result());
}

}  // namespace cairn
