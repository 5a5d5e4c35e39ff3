// Bucketing (Karimireddy et al., arXiv 2006.09365): the updates in random order, `s` of them averaged at a time, so
// that the rule sees fewer columns that differ less. Every round draws anew, from the seed.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "aggregators/guard.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// 2^64 over the golden ratio: seeds of rounds are far apart.
constexpr std::uint64_t kRoundStep = 0x9E37'79B9'7F4A'7C15;

// Uniform below `count`.
std::uint64_t Draw(std::mt19937_64& random, std::uint64_t count) {
  const std::uint64_t biased = (0 - count) % count;  // 2^64 mod count: the highest values, which are drawn again.
  std::uint64_t value = random();
  while (value > std::numeric_limits<std::uint64_t>::max() - biased) value = random();
  return value % count;
}

// Fisher and Yates. std::shuffle gives another order with another standard library.
std::vector<std::size_t> Permutation(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count - 1; i > 0; --i) std::swap(order[i], order[Draw(random, i + 1)]);
  return order;
}

class Bucketing final : public Guard {
 public:
  Bucketing(std::size_t size, std::uint64_t seed) : size_(size), seed_(seed) {}
  static absl::StatusOr<std::unique_ptr<Guard>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const std::int64_t size, options.TakeInteger("s", 1, 1, limits::kCohortClientsMax));
    CAIRN_ASSIGN_OR_RETURN(const std::int64_t seed,
                           options.TakeInteger("seed", 0, 0, std::numeric_limits<std::int64_t>::max()));
    return std::make_unique<Bucketing>(static_cast<std::size_t>(size), static_cast<std::uint64_t>(seed));
  }
  absl::string_view name() const override { return "bucketing"; }
  std::size_t ColumnsOf(std::size_t columns) const override { return (columns + size_ - 1) / size_; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  absl::StatusOr<kernels::SmallMatrix> Mix(const GuardInput& input) const override {
    const std::size_t n = input.gram.rows;
    const std::vector<std::size_t> order = Permutation(n, seed_ + kRoundStep * input.round);
    auto mixing = kernels::SmallMatrix::Zero(n, ColumnsOf(n));
    for (std::size_t at = 0; at < n; ++at) {
      const std::size_t bucket = at / size_, left = n - bucket * size_;
      mixing.at(order[at], bucket) = 1.0 / static_cast<double>(std::min(size_, left));
    }
    return mixing;
  }

 private:
  std::size_t size_;
  std::uint64_t seed_;
};

CAIRN_REGISTER_GUARD("bucketing", Bucketing);

}  // namespace
}  // namespace cairn
