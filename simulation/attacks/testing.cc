#include "simulation/attacks/testing.h"

#include <ATen/ATen.h>

#include "simulation/attacks/dense.h"

namespace cairn::attacks {

Lora TestUpdate(std::uint64_t seed, std::int64_t rank) {
  const double alpha = 2.0 * static_cast<double>(rank);
  Lora lora = FreshLora(kTiny, rank, alpha, seed), other = FreshLora(kTiny, 64, 64, seed + 1000);
  for (auto& [module, factors] : lora.modules) {
    factors.b = other.modules.at(module).a.flatten().narrow(0, 0, factors.b.numel()).view(factors.b.sizes()).clone();
  }
  return lora;
}

double Difference(const Lora& x, const Lora& y, double factor) {
  const Vector wanted = Scaled(factor, *ValuesOf(y, y));
  Vector difference = *ValuesOf(x, y);
  AddScaled(-1, wanted, difference);
  return NormOf(difference) / NormOf(wanted);
}

std::string Bytes(const Lora& lora) { return ToAdapter(lora, "base")->safetensors; }

}  // namespace cairn::attacks
