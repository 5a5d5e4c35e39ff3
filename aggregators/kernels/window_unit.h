// How terms become whole numbers of a window's unit: what the kernels of window sums share.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "aggregators/kernels/window_sum.h"

namespace cairn::kernels {

// Adding 1.5 * 2^52 to a float64 below 2^51 leaves the rounded integer in its low bits. (Before AVX-512 there is no
// vector conversion to int64, and the scalar one is slower than memory.)
inline constexpr double kMagic = 6'755'399'441'055'744.0;
inline constexpr int kUnitExponent = -32;  // Of window 0: 16 bits of the window and 32 below.

inline double UnitOf(int window) { return std::ldexp(1.0, kWindowBits * window + kUnitExponent); }
inline double PerUnitOf(int window) { return std::ldexp(1.0, -kWindowBits * window - kUnitExponent); }

// To nearest even, plus kRoundedZero. As unsigned, where an overflow, of planes that hold anything, is defined.
inline std::uint64_t Rounded(double units) { return std::bit_cast<std::uint64_t>(units + kMagic); }
inline constexpr std::uint64_t kRoundedZero = std::bit_cast<std::uint64_t>(kMagic);

}  // namespace cairn::kernels
