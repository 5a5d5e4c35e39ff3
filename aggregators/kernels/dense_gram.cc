#include "aggregators/kernels/dense_gram.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace cairn::kernels {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kRows = 4;  // Of a tile.

// What is done to one block. Columns are `stride` apart, and rows of sums, kLanes for every pair, columns * kLanes.
struct Block {
  const double* values;
  std::size_t stride, columns, count;
  double* sums;
  absl::Span<const char* const> next;
  std::size_t next_step;  // Bytes of kLanes elements.
};

// Adds the products of kRows columns from `i` on with kWidth columns from `j` on: the sums stay in registers while the
// elements go by. How large a tile is and how wide a vector changes no bit: every lane of every sum is its own chain.
// The triangle of a tile on the diagonal is j <= i.
template <std::size_t kVector, std::size_t kWidth, bool kTriangle>
[[gnu::always_inline]] inline void AddTile(const Block& block, std::size_t i, std::size_t j, const char* ahead[2]) {
  typedef double Vector __attribute__((vector_size(kVector * sizeof(double))));
  const std::size_t stride = block.stride, sums_stride = block.columns * kLanes, count = block.count;
  const double* const left = block.values + i * stride;
  const double* const right = block.values + j * stride;
  for (std::size_t lane = 0; lane < kLanes; lane += kVector) {
    double* const sums = block.sums + (i * block.columns + j) * kLanes + lane;
    Vector sum[kRows][kWidth];
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t c = 0; c < kWidth; ++c)
        std::memcpy(&sum[r][c], sums + r * sums_stride + c * kLanes, sizeof(Vector));
    }
    for (std::size_t k = lane; k < count; k += kLanes) {
      __builtin_prefetch(ahead[0]);
      __builtin_prefetch(ahead[1]);
      ahead[0] += block.next_step, ahead[1] += block.next_step;
      Vector own, other[kWidth];
      for (std::size_t c = 0; c < kWidth; ++c) std::memcpy(&other[c], right + c * stride + k, sizeof(Vector));
      for (std::size_t r = 0; r < kRows; ++r) {
        std::memcpy(&own, left + r * stride + k, sizeof(Vector));
        for (std::size_t c = 0; c < kWidth; ++c) {
          if (!kTriangle || c <= r) sum[r][c] += own * other[c];
        }
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t c = 0; c < kWidth; ++c)
        std::memcpy(sums + r * sums_stride + c * kLanes, &sum[r][c], sizeof(Vector));
    }
  }
}

// Every tile fetches what two columns will need next.
template <std::size_t kVector, std::size_t kWidth>
[[gnu::always_inline]] inline void AddTiles(const Block& block) {
  std::size_t fetched = 0;
  const auto next = [&]() __attribute__((always_inline)) {
    return fetched < block.next.size() ? block.next[fetched++] : reinterpret_cast<const char*>(block.values);
  };
  for (std::size_t i = 0; i < block.columns; i += kRows) {
    for (std::size_t j = 0; j < i + kRows; j += kWidth) {
      const char* ahead[2] = {next(), next()};
      if (kWidth == kRows && i == j) {
        AddTile<kVector, kWidth, true>(block, i, j, ahead);
      } else {
        AddTile<kVector, kWidth, false>(block, i, j, ahead);
      }
    }
  }
}

void AddPlain(const Block& block) { AddTiles<2, 2>(block); }

#if defined(__x86_64__)
[[gnu::target("avx512f")]] void AddAvx512(const Block& block) { AddTiles<8, 4>(block); }
[[gnu::target("avx2,fma")]] void AddAvx2Fused(const Block& block) { AddTiles<4, 2>(block); }
// Products of doubles are rounded before they are added, on every processor.
[[gnu::target("avx2")]] void AddAvx2(const Block& block) { AddTiles<4, 2>(block); }

using AddBlock = void (*)(const Block& block);
AddBlock BestFor(DenseGram::Values values) {
  const bool single = values == DenseGram::Values::kSingle;
  if (single && __builtin_cpu_supports("avx512f")) return AddAvx512;
  if (single && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AddAvx2Fused;
  return __builtin_cpu_supports("avx2") ? AddAvx2 : AddPlain;
}
#endif

void AddProducts(const Block& block, DenseGram::Values values) {
#if defined(__x86_64__)
  static const AddBlock kSingle = BestFor(DenseGram::Values::kSingle), kDouble = BestFor(DenseGram::Values::kDouble);
  (values == DenseGram::Values::kSingle ? kSingle : kDouble)(block);
#else
  AddPlain(block);
#endif
}

}  // namespace

DenseGram::DenseGram(std::size_t columns, Values values)
    : columns_(columns),
      padded_((columns + kRows - 1) / kRows * kRows),
      values_(values),
      block_(padded_ * kStride / kLanes),
      sums_(padded_ * padded_) {}

void DenseGram::Add(std::size_t count, absl::Span<const char* const> next, std::size_t next_size) {
  assert(count <= kBlock);
  const std::size_t whole = (count + kLanes - 1) / kLanes * kLanes;
  for (std::size_t i = 0; i < columns_; ++i) std::fill(column(i).begin() + count, column(i).begin() + whole, 0.0);
  AddProducts({block_[0].value, kStride, padded_, whole, sums_[0].value, next, next_size * kLanes}, values_);
}

SmallMatrix DenseGram::Sums() const {
  SmallMatrix sums = SmallMatrix::Zero(columns_, columns_);
  for (std::size_t i = 0; i < columns_; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const lane = sums_[i * padded_ + j].value;
      const double low = (lane[0] + lane[1]) + (lane[2] + lane[3]), high = (lane[4] + lane[5]) + (lane[6] + lane[7]);
      sums.at(i, j) = sums.at(j, i) = low + high;
    }
  }
  return sums;
}

}  // namespace cairn::kernels
