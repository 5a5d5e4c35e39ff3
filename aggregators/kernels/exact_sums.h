// Sums of float64 numbers that depend on the numbers alone: not on their order, nor on who added up which of them
// before the sums of all were merged.
//
// A sum is four digits of base 2^32, from the one that the greatest term so far begins in; where that is depends on the
// term alone, so what a term adds to a digit does, too. What lies below the four digits is left out: less than 2^-96 of
// the greatest term for each term, where a float64 sum loses up to 2^-53 of it at every step. Merging is integers:
// the greatest of the tops, then sums of digits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {

class ExactSums {
 public:
  static constexpr std::size_t kDigits = 4;

  explicit ExactSums(std::size_t count) : tops_(count, kNothing), digits_(count * kDigits) {}

  std::size_t size() const { return tops_.size(); }

  // Adds terms[k] to sum first + k. A term that is not finite makes that sum NaN. REQUIRES: 2^31 terms at most to one
  // sum, those that are merged included.
  void Add(std::size_t first, absl::Span<const double> terms);
  void Add(std::size_t i, double term) { Add(i, absl::MakeConstSpan(&term, 1)); }

  // Sum i: off by less than two units in the last place from the sum of the digits. Infinite beyond float64's range.
  double Total(std::size_t i) const;

  // To merge sums of one size: Raise all to the greatest top of each sum, then add their digits up.
  std::vector<std::int64_t> tops() const { return {tops_.begin(), tops_.end()}; }
  void Raise(absl::Span<const std::int64_t> tops);  // REQUIRES: one for each sum, none below the sum's own.
  absl::Span<std::int64_t> digits() { return absl::MakeSpan(digits_); }

 private:
  // The digit that a sum begins with, from 0 for that of the least float64. Or one of these:
  static constexpr std::int16_t kNothing = -1, kNotFinite = 1000;

  void RaiseOne(std::size_t i, std::int16_t top);

  std::vector<std::int16_t> tops_;
  std::vector<std::int64_t> digits_;  // kDigits of each sum, the greatest first; each the sum of the terms' digits.
};

}  // namespace cairn::kernels
