#include "aggregators/outcome_tally.h"

#include <algorithm>

#include "aggregators/kernels/add_scaled.h"

namespace cairn {

template <typename T>
void OutcomeTally::Add(absl::Span<const std::size_t> clients, absl::Span<const T> x, absl::Span<const T> y) {
  const std::size_t width = y.size();
  const double result = kernels::PairSumsOf(y, y).own;
  std::vector<kernels::PairSums> sums;
  for (std::size_t i = 0; i < clients.size(); ++i) sums.push_back(kernels::PairSumsOf(x.subspan(i * width, width), y));
  const std::lock_guard lock(mutex_);
  result_ += result;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    own_[clients[i]] += sums[i].own;
    inner_[clients[i]] += sums[i].inner;
    apart_[clients[i]] += sums[i].apart - result;
  }
}

template void OutcomeTally::Add(absl::Span<const std::size_t>, absl::Span<const float>, absl::Span<const float>);
template void OutcomeTally::Add(absl::Span<const std::size_t>, absl::Span<const double>, absl::Span<const double>);

double OutcomeTally::apart(std::size_t client) const { return std::max(0.0, apart_[client] + result_); }

}  // namespace cairn
