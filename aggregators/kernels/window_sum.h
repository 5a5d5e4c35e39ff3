// Sums of floating-point terms as int64, whatever their sizes, that depend on the set of terms alone: not on their
// order, nor on how they are grouped, nor on anything agreed beforehand (ADR 15).
//
// A matrix is cut in blocks. The terms of one client in one block, factor * x, are all rounded to multiples of one
// power of two, by the window of their greatest magnitude m: window w holds m in [2^(16 w), 2^(16 (w + 1))), and its
// unit is 2^(16 w - 32), so that a term has at most 48 bits and its sign, and 10 000 of them have 62. They are added to
// the block's plane of that window. A block keeps the planes of the greatest window that it has seen and of the two
// below; what lies lower is forgotten, or not added. For float64 what was lost in rounding, an exact remainder, is
// rounded to the unit of the next lower window and added there.
//
// So against the greatest magnitude M of all terms of the block, an element of a sum of k terms is off by less than
// k * 2^-32 * M: k * 2^-33 * M for rounding and what is not added, which is 2^-32 of M or less. Of float64 terms by
// k * 2^-48 * M while all are in the top window or the next one.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "aggregators/kernels/lora_combine.h"

namespace cairn::kernels {

inline constexpr int kWindowBits = 16;
inline constexpr int kSumPlanes = 3;
// Keep units and their inverses ordinary float64 numbers. Terms below 2^(16 kWindowMin) have fewer bits.
inline constexpr int kWindowMin = -58;
inline constexpr int kWindowMax = 63;

// The window of a greatest magnitude, finite and > 0.
int WindowOf(double magnitude);

// Which windows a block has, and which plane holds them: planes come into being in order, when the first block needs
// one more.
class BlockWindows {
 public:
  static constexpr std::int8_t kNone = -1;

  bool empty() const { return planes_ == std::array<std::int8_t, kSumPlanes>{kNone, kNone, kNone}; }
  int top() const { return top_; }  // The greatest window. REQUIRES: !empty().
  // The plane of window top() - below; kNone: nothing was added there.
  std::int8_t plane(int below) const { return planes_[below]; }
  // The same from elsewhere. False, and unchanged, if no block can be like that with so many planes.
  bool Set(int top, const std::array<std::int8_t, kSumPlanes>& planes, int planes_made);

  // Terms of `window` come. The plane to add them to, kNone if they are too small to count. `fresh`: the block has
  // other numbers, or none, in that plane, to be overwritten with zeros first. A greater window than top() makes it the
  // top.
  struct Place {
    std::int8_t plane = kNone;
    bool fresh = false;
  };
  Place Enter(int window);
  // The same for the remainders of `window`, once it was entered. They never change the top.
  Place EnterBelow(int window);

  friend bool operator==(const BlockWindows&, const BlockWindows&) = default;

 private:
  Place PlaceOf(int window);

  std::int8_t top_ = 0;
  std::array<std::int8_t, kSumPlanes> planes_ = {kNone, kNone, kNone};
};

// sum[i, at + j] += round(factor * in[i, j] / unit of window), to nearest even. Sizes as in ScaleIntoColumns.
// REQUIRES: `window` is that of the greatest |factor * in[i, j]|, or a greater one.
void AddTerms(absl::Span<const float> in, const ColumnBlock& block, double factor, int window,
              absl::Span<std::int64_t> sum);
void AddTerms(absl::Span<const double> in, const ColumnBlock& block, double factor, int window,
              absl::Span<std::int64_t> sum);
// What AddTerms loses, to the plane of window - 1: below[i, at + j] += round(remainder / its unit).
void AddRemainders(absl::Span<const double> in, const ColumnBlock& block, double factor, int window,
                   absl::Span<std::int64_t> below);

// sum[i] += other[i], for sums of the same window.
void AddSums(absl::Span<const std::int64_t> other, absl::Span<std::int64_t> sum);

// The value of a block: out[i] = (sum of planes[k][i] * unit of window top - k) / divisor, from the top down in
// float64, rounded once more to T. Planes that are empty are zeros.
void FromWindows(const std::array<absl::Span<const std::int64_t>, kSumPlanes>& planes, int top, double divisor,
                 absl::Span<float> out);
void FromWindows(const std::array<absl::Span<const std::int64_t>, kSumPlanes>& planes, int top, double divisor,
                 absl::Span<double> out);

}  // namespace cairn::kernels
