#include "simulation/attacks/attack_factors.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "simulation/model/random.h"

namespace cairn::attacks {
namespace {

// `change` of the detached factors of every module.
template <typename Change>
Lora Changed(const Lora& own, Change&& change) {
  Lora out{own.rank, own.alpha, {}};
  for (const auto& [module, factors] : own.modules) {
    const Factors changed = change(module, Factors{factors.a.detach(), factors.b.detach(), factors.scale});
    out.modules[module] = {changed.a.to(at::kFloat).contiguous(), changed.b.to(at::kFloat).contiguous(), changed.scale};
  }
  return out;
}

at::Tensor RandomBasis(std::int64_t size, std::uint64_t seed) {
  Random random(seed);
  at::Tensor values = at::empty({size, size}, at::kDouble);
  for (std::int64_t k = 0; k < size * size; ++k) values.data_ptr<double>()[k] = 2.0 * random.Uniform() - 1;
  return std::get<0>(at::linalg_qr(values));
}

// From sqrt(cond) down to 1 / sqrt(cond), evenly in the logarithm. A single one is 1.
at::Tensor Spectrum(std::int64_t size, double cond) {
  at::Tensor out = at::ones({size}, at::kDouble);
  for (std::int64_t k = 0; size > 1 && k < size; ++k) {
    out.data_ptr<double>()[k] = std::pow(cond, 0.5 - static_cast<double>(k) / static_cast<double>(size - 1));
  }
  return out;
}

}  // namespace

Lora Rescaled(const Lora& own, double c) {
  return Changed(own, [c](const std::string&, const Factors& f) { return Factors{f.a / c, f.b * c, f.scale}; });
}

Lora IllConditioned(const Lora& own, double cond, std::uint64_t seed) {
  return Changed(own, [cond, seed](const std::string& module, const Factors& f) {
    const std::int64_t rank = f.a.size(0);
    const at::Tensor left = RandomBasis(rank, SeedOf(seed, {"left", module})), values = Spectrum(rank, cond);
    const at::Tensor right = RandomBasis(rank, SeedOf(seed, {"right", module}));
    const at::Tensor there = at::matmul(left * values, right.t()), back = at::matmul(right / values, left.t());
    return Factors{at::matmul(back, f.a.to(at::kDouble)), at::matmul(f.b.to(at::kDouble), there), f.scale};
  });
}

Lora RankInflated(const Lora& own, std::int64_t times) {
  Lora out = Changed(own, [times](const std::string&, const Factors& f) {
    const double root = std::sqrt(static_cast<double>(times));
    return Factors{f.a.repeat({times, 1}) / root, f.b.repeat({1, times}) / root, f.scale};
  });
  out.rank *= times;
  out.alpha *= static_cast<double>(times);
  return out;
}

Lora FakeAlpha(const Lora& own, double c) {
  Lora out = Changed(own, [c](const std::string&, const Factors& f) { return Factors{f.a, f.b, f.scale * c}; });
  out.alpha *= c;
  return out;
}

Lora HalfPoisoned(const Lora& own, double c) {
  return Changed(own, [c](const std::string&, const Factors& f) { return Factors{f.a, f.b * -c, f.scale}; });
}

Lora Filled(const Lora& own, float value) {
  return Changed(own, [value](const std::string&, const Factors& f) {
    return Factors{f.a, at::full_like(f.b, value), f.scale};
  });
}

}  // namespace cairn::attacks
