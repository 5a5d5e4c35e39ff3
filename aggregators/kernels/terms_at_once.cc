#include "aggregators/kernels/terms_at_once.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "aggregators/kernels/window_unit.h"

namespace cairn::kernels {
namespace {

using Magnitudes = std::array<float, kTermsAtOnce>;

constexpr std::uint32_t kMagnitudeMask = 0x7fff'ffff;  // Magnitudes of float32 are in order as integers, NaN the last.

// The obvious version; compilers unroll it over the clients and vectorise it over the elements.
template <std::size_t kClients, bool kFresh>
[[gnu::always_inline]] inline Magnitudes AddAll(const ClientTerms* clients, double per_unit, std::size_t count,
                                                std::int64_t* __restrict sum) {
  const float* __restrict values[kClients];
  double factors[kClients];
  std::uint32_t greatest[kClients] = {};
  for (std::size_t k = 0; k < kClients; ++k) {
    values[k] = clients[k].values;
    factors[k] = clients[k].factor * per_unit;
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t total = kFresh ? 0 : static_cast<std::uint64_t>(sum[i]);
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kClients; ++k) {
      const float x = values[k][i];
      greatest[k] = std::max(greatest[k], std::bit_cast<std::uint32_t>(x) & kMagnitudeMask);
      total += Rounded(factors[k] * x);
    }
    sum[i] = static_cast<std::int64_t>(total - kClients * kRoundedZero);
  }
  Magnitudes magnitudes = {};
  for (std::size_t k = 0; k < kClients; ++k) magnitudes[k] = std::bit_cast<float>(greatest[k]);
  return magnitudes;
}

template <bool kFresh>
[[gnu::always_inline]] inline Magnitudes AddSome(absl::Span<const ClientTerms> clients, double per_unit,
                                                 absl::Span<std::int64_t> sum) {
  switch (clients.size()) {
    case 1:
      return AddAll<1, kFresh>(clients.data(), per_unit, sum.size(), sum.data());
    case 2:
      return AddAll<2, kFresh>(clients.data(), per_unit, sum.size(), sum.data());
    case 3:
      return AddAll<3, kFresh>(clients.data(), per_unit, sum.size(), sum.data());
    default:
      return AddAll<4, kFresh>(clients.data(), per_unit, sum.size(), sum.data());
  }
}
static_assert(kTermsAtOnce == 4);

[[gnu::always_inline]] inline Magnitudes Add(absl::Span<const ClientTerms> clients, double per_unit, bool fresh,
                                             absl::Span<std::int64_t> sum) {
  return fresh ? AddSome<true>(clients, per_unit, sum) : AddSome<false>(clients, per_unit, sum);
}

Magnitudes AddPlain(absl::Span<const ClientTerms> clients, double per_unit, bool fresh, absl::Span<std::int64_t> sum) {
  return Add(clients, per_unit, fresh, sum);
}
#if defined(__x86_64__)
#if defined(__clang__)
#define CAIRN_PREFER_512  // Does so by itself.
#else
#define CAIRN_PREFER_512 ",prefer-vector-width=512"
#endif
[[gnu::target("avx2"), gnu::noinline]] Magnitudes AddAvx2(absl::Span<const ClientTerms> clients, double per_unit,
                                                          bool fresh, absl::Span<std::int64_t> sum) {
  return Add(clients, per_unit, fresh, sum);
}
[[gnu::target("avx512f,avx512dq,avx512vl" CAIRN_PREFER_512), gnu::noinline]] Magnitudes AddAvx512(
    absl::Span<const ClientTerms> clients, double per_unit, bool fresh, absl::Span<std::int64_t> sum) {
  return Add(clients, per_unit, fresh, sum);
}
#endif

Vectors FindVectors() {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
                      __builtin_cpu_supports("avx512vl") != 0;
  if (avx512) return Vectors::kAvx512;
  if (__builtin_cpu_supports("avx2") != 0) return Vectors::kAvx2;
#endif
  return Vectors::kPlain;
}

}  // namespace

Vectors WidestVectors() {
  static const Vectors widest = FindVectors();
  return widest;
}

Magnitudes AddTermsAtOnce(absl::Span<const ClientTerms> clients, int window, bool fresh, absl::Span<std::int64_t> sum,
                          Vectors vectors) {
  assert(!clients.empty() && clients.size() <= kTermsAtOnce && vectors <= WidestVectors());
  const double per_unit = PerUnitOf(window);
#if defined(__x86_64__)
  if (vectors == Vectors::kAvx512) return AddAvx512(clients, per_unit, fresh, sum);
  if (vectors == Vectors::kAvx2) return AddAvx2(clients, per_unit, fresh, sum);
#endif
  return AddPlain(clients, per_unit, fresh, sum);
}

void TakeBack(const ClientTerms& client, int window, absl::Span<std::int64_t> sum) {
  const double factor = client.factor * PerUnitOf(window);
  const float* values = client.values;
  for (std::int64_t& total : sum) {
    total = static_cast<std::int64_t>(static_cast<std::uint64_t>(total) - (Rounded(factor * *values++) - kRoundedZero));
  }
}

}  // namespace cairn::kernels
