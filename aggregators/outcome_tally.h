// How far clients are from a result that has no weights, counted while it is computed.
#pragma once

#include <cstddef>
#include <mutex>

#include "absl/types/span.h"
#include "aggregators/kernels/exact_sums.h"

namespace cairn {

// Sums of squares and products by client, of values x_i and the result y. They do not depend on the order of the
// blocks. Add is thread-safe.
class OutcomeTally {
 public:
  explicit OutcomeTally(std::size_t clients) : clients_(clients), sums_(3 * clients + 1) {}

  // Of one block: x[i], of `clients`[i], and y, of one length; clients that are not named are zero there.
  template <typename T>
  void Add(absl::Span<const std::size_t> clients, absl::Span<const T* const> x, absl::Span<const T> y);

  double own(std::size_t client) const { return sums_.Total(client); }               // ||x_i||^2
  double inner(std::size_t client) const { return sums_.Total(clients_ + client); }  // <x_i, y>
  double apart(std::size_t client) const;                                            // ||x_i - y||^2
  double result() const { return sums_.Total(3 * clients_); }                        // ||y||^2

  kernels::ExactSums& sums() { return sums_; }

 private:
  const std::size_t clients_;
  std::mutex mutex_;
  // By client: ||x_i||^2; then <x_i, y>; then ||x_i - y||^2 - ||y||^2, so that clients that are zero somewhere are
  // right; then ||y||^2.
  kernels::ExactSums sums_;
};

}  // namespace cairn
