#include "aggregators/outcome_tally.h"

#include <algorithm>

namespace cairn {

template <typename T>
void OutcomeTally::Add(absl::Span<const std::size_t> clients, absl::Span<const T> x, absl::Span<const T> y) {
  const std::size_t width = y.size();
  double result = 0;
  for (const T value : y) result += static_cast<double>(value) * value;
  std::vector<double> own(clients.size()), inner(clients.size()), apart(clients.size());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const T* row = x.data() + i * width;
    for (std::size_t k = 0; k < width; ++k) {
      const double value = row[k], difference = value - y[k];
      own[i] += value * value;
      inner[i] += value * y[k];
      apart[i] += difference * difference;
    }
  }
  const std::lock_guard lock(mutex_);
  result_ += result;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    own_[clients[i]] += own[i];
    inner_[clients[i]] += inner[i];
    apart_[clients[i]] += apart[i] - result;
  }
}

template void OutcomeTally::Add(absl::Span<const std::size_t>, absl::Span<const float>, absl::Span<const float>);
template void OutcomeTally::Add(absl::Span<const std::size_t>, absl::Span<const double>, absl::Span<const double>);

double OutcomeTally::apart(std::size_t client) const { return std::max(0.0, apart_[client] + result_); }

}  // namespace cairn
