#include "simulation/attacks/backdoor.h"

#include <cmath>

#include "simulation/model/random.h"

namespace cairn::attacks {
namespace {

Vector RandomSigns(std::int64_t size, Random& random) {
  Vector out(size);
  for (double& value : out) value = random.Below(2) == 0 ? 1 : -1;
  return out;
}

}  // namespace

Vector BackdoorValues(const Lora& like, double norm, std::uint64_t seed) {
  Vector out;
  for (const auto& [module, factors] : like.modules) {
    Random random(SeedOf(seed, {"backdoor", module}));
    const Vector u = RandomSigns(factors.b.size(0), random), v = RandomSigns(factors.a.size(1), random);
    const double modules = static_cast<double>(like.modules.size());
    const double each = norm / std::sqrt(modules * static_cast<double>(u.size() * v.size()));
    for (const double row : u) {
      for (const double column : v) out.push_back(row * column * each);
    }
  }
  return out;
}

}  // namespace cairn::attacks
