#include "aggregators/kernels/exact_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace cairn::kernels {
namespace {

constexpr int kDigitBits = 32;
constexpr std::uint64_t kDigitMask = 0xFFFF'FFFF;
constexpr int kFractionBits = 52;               // Of a float64.
constexpr std::uint64_t kExponentMask = 0x7FF;  // Of one that is not finite.
constexpr int kLeastExponent = -1074;           // The least float64 is 2 to this.
constexpr std::size_t kTermDigits = 3;          // 53 bits lie in three digits at most.

// |term| as digits; digits[k] is that of window bottom + k.
struct Parts {
  int bottom = 0;
  std::array<std::int64_t, kTermDigits> digits;
  int top() const { return bottom + (digits[2] != 0 ? 2 : digits[1] != 0 ? 1 : 0); }
};

Parts PartsOf(std::uint64_t exponent, std::uint64_t fraction) {
  const std::uint64_t mantissa = exponent == 0 ? fraction : fraction | std::uint64_t{1} << kFractionBits;
  const std::uint64_t position = exponent == 0 ? 0 : exponent - 1;  // Of the last bit, from that of the least float64.
  const auto shifted = static_cast<unsigned __int128>(mantissa) << position % kDigitBits;
  const auto digit = [&](int k) { return static_cast<std::int64_t>(shifted >> k * kDigitBits & kDigitMask); };
  return {static_cast<int>(position / kDigitBits), {digit(0), digit(1), digit(2)}};
}

// Carries, so that all digits but the first are from 0 to 2^32 - 1.
std::array<std::int64_t, ExactSums::kDigits> Carried(std::array<std::int64_t, ExactSums::kDigits> digits) {
  for (std::size_t k = digits.size() - 1; k > 0; --k) {
    digits[k - 1] += digits[k] >> kDigitBits;  // Towards minus infinity.
    digits[k] &= static_cast<std::int64_t>(kDigitMask);
  }
  return digits;
}

}  // namespace

void ExactSums::RaiseOne(std::size_t i, std::int16_t top) {
  if (top <= tops_[i]) return;
  const auto begin = digits_.begin() + static_cast<std::ptrdiff_t>(i * kDigits), end = begin + kDigits;
  const std::ptrdiff_t by = tops_[i] == kNothing ? kDigits : std::min<std::ptrdiff_t>(kDigits, top - tops_[i]);
  std::move_backward(begin, end - by, end);
  std::fill(begin, begin + by, 0);
  tops_[i] = top;
}

void ExactSums::Raise(absl::Span<const std::int64_t> tops) {
  for (std::size_t i = 0; i < tops_.size(); ++i) RaiseOne(i, static_cast<std::int16_t>(tops[i]));
}

void ExactSums::Add(std::size_t first, absl::Span<const double> terms) {
  for (std::size_t t = 0; t < terms.size(); ++t) {
    if (terms[t] == 0) continue;
    const std::size_t i = first + t;
    std::uint64_t bits = 0;
    std::memcpy(&bits, &terms[t], sizeof(bits));
    const std::uint64_t exponent = bits >> kFractionBits & kExponentMask;
    if (exponent == kExponentMask) {
      RaiseOne(i, kNotFinite);
      continue;
    }
    const Parts parts = PartsOf(exponent, bits & ((std::uint64_t{1} << kFractionBits) - 1));
    RaiseOne(i, static_cast<std::int16_t>(parts.top()));
    std::int64_t* const digits = digits_.data() + i * kDigits;
    for (std::size_t k = 0; k < kTermDigits; ++k) {
      const int below = tops_[i] - parts.bottom - static_cast<int>(k);
      // Below 0: a digit that is 0. Those of sums that are not finite do not matter.
      if (below >= 0 && below < static_cast<int>(kDigits)) {
        digits[below] += (bits >> 63) != 0 ? -parts.digits[k] : parts.digits[k];
      }
    }
  }
}

double ExactSums::Total(std::size_t i) const {
  if (tops_[i] == kNothing) return 0;
  if (tops_[i] == kNotFinite) return std::numeric_limits<double>::quiet_NaN();
  std::array<std::int64_t, kDigits> digits;
  std::copy_n(digits_.begin() + static_cast<std::ptrdiff_t>(i * kDigits), kDigits, digits.begin());
  digits = Carried(digits);
  const bool negative = digits[0] < 0;
  if (negative) {
    for (std::int64_t& digit : digits) digit = -digit;
    digits = Carried(digits);
  }
  // All are 0 or more now, so that no two parts cancel.
  const double upper = static_cast<double>((static_cast<__int128>(digits[0]) << kDigitBits) + digits[1]);
  const double lower =
      static_cast<double>(static_cast<std::uint64_t>(digits[2]) << kDigitBits | static_cast<std::uint64_t>(digits[3]));
  const double sum = std::ldexp(upper, 2 * kDigitBits) + lower;
  const int last = tops_[i] - static_cast<int>(kDigits) + 1;
  const double total = std::ldexp(sum, last * kDigitBits + kLeastExponent);
  return negative ? -total : total;
}

}  // namespace cairn::kernels
