#include "bench/robust_floor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/parallel.h"
#include "bench/seconds.h"

namespace cairn::bench {
namespace {

constexpr std::size_t kCopyBytes = 256 << 20;  // Far more than any cache holds.

}  // namespace

double CopySeconds(std::size_t bytes, int threads) {
  static std::vector<char> from(kCopyBytes, 1), to(kCopyBytes, 2);  // Touched once, before any copy is timed.
  const std::size_t share = kCopyBytes / static_cast<std::size_t>(threads);
  const double seconds = Seconds([&] {
    const absl::Status status = ParallelFor(threads, threads, [&](int, std::int64_t i) {
      std::memcpy(to.data() + i * share, from.data() + i * share, share);
      return absl::OkStatus();
    });
    if (!status.ok()) std::abort();
  });
  return seconds * static_cast<double>(bytes) / static_cast<double>(kCopyBytes);
}

double ProductsASecond(int size) {
  const at::Tensor x = at::ones({size, size}, at::kDouble), y = at::ones({size, size}, at::kDouble);
  at::Tensor out = at::empty({size, size}, at::kDouble);
  const double seconds = Seconds([&] { at::mm_out(out, x, y); });
  const double n = size;
  return n * n * n / seconds;
}

}  // namespace cairn::bench
