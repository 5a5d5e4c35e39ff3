// How far clients are from a result that has no weights, counted while it is computed.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "absl/types/span.h"

namespace cairn {

// Sums of squares and products by client, of values x_i and the result y. Thread-safe.
class OutcomeTally {
 public:
  explicit OutcomeTally(std::size_t clients) : own_(clients), inner_(clients), apart_(clients) {}

  // Of one block: x[i], of `clients`[i], and y, of one length; clients that are not named are zero there.
  template <typename T>
  void Add(absl::Span<const std::size_t> clients, absl::Span<const T* const> x, absl::Span<const T> y);

  double own(std::size_t client) const { return own_[client]; }      // ||x_i||^2
  double inner(std::size_t client) const { return inner_[client]; }  // <x_i, y>
  double apart(std::size_t client) const;                            // ||x_i - y||^2
  double result() const { return result_; }                          // ||y||^2

 private:
  std::mutex mutex_;
  std::vector<double> own_, inner_;
  std::vector<double> apart_;  // ||x_i - y||^2 - ||y||^2, so that clients that are zero somewhere are right.
  double result_ = 0;
};

}  // namespace cairn
