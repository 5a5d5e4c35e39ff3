#include "simulation/attacks/attack_values.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "simulation/attacks/attack_vectors.h"
#include "simulation/attacks/backdoor.h"
#include "simulation/attacks/bounded_vectors.h"
#include "simulation/model/random.h"

namespace cairn::attacks {
namespace {

using ValueFunction = Vector (*)(const AttackSpec&, const AttackerView&, Vectors);

Direction DirectionOf(const AttackSpec& spec) {
  if (spec.direction == "deviation") return Direction::kDeviation;
  return spec.direction == "sign" ? Direction::kSign : Direction::kUnit;
}

// Each attacker's own draw, in each round.
std::uint64_t NoiseSeed(const AttackerView& view) {
  return SeedOf(view.seed, {"noise", absl::StrCat(view.round), absl::StrCat(view.attacker)});
}

Vector AlieValues(const AttackSpec& spec, const AttackerView& view, Vectors honest) {
  return Alie(honest, spec.z != 0 ? spec.z : AlieQuantile(view.clients, view.attackers));
}

Vector GaussianValues(const AttackSpec& spec, const AttackerView& view, Vectors honest) {
  return GaussianNoise(honest.front().size(), spec.sigma * MedianNormOf(honest), NoiseSeed(view));
}

Vector UniformValues(const AttackSpec& spec, const AttackerView& view, Vectors honest) {
  return UniformNoise(honest.front().size(), spec.sigma * MedianNormOf(honest), NoiseSeed(view));
}

// The first half of the attackers send what the base attack's first would, the others complete the mean.
Vector ByzMeanValues(const AttackSpec& spec, const AttackerView& view, Vectors honest) {
  AttackerView first = view;
  first.attacker = 0;
  Vector wanted = ForgedValues(*ParseAttack(spec.base), first, honest);
  const std::size_t same = view.attackers / 2;
  if (view.attacker < same) return wanted;
  return CompletesMean(honest, wanted, view.clients, view.attackers, same);
}

const std::map<std::string, ValueFunction>& Functions() {
  static const auto& functions = *new std::map<std::string, ValueFunction>{
      {"alie", AlieValues},
      {"backdoor", [](const AttackSpec&, const AttackerView& view,
                      Vectors honest) { return BackdoorValues(*view.own, MedianNormOf(honest), view.seed); }},
      {"byz_mean", ByzMeanValues},
      {"gaussian", GaussianValues},
      {"ipm", [](const AttackSpec& spec, const AttackerView&, Vectors h) { return Reversed(h, spec.epsilon); }},
      {"min_max", [](const AttackSpec& spec, const AttackerView&, Vectors h) { return MinMax(h, DirectionOf(spec)); }},
      {"min_sum", [](const AttackSpec& spec, const AttackerView&, Vectors h) { return MinSum(h, DirectionOf(spec)); }},
      {"sign_flip", [](const AttackSpec& spec, const AttackerView&, Vectors h) { return Reversed(h, spec.c); }},
      {"sybil", [](const AttackSpec& spec, const AttackerView& view,
                   Vectors honest) { return SybilDuplicate(honest, spec.noise, NoiseSeed(view)); }},
      {"uniform", UniformValues},
  };
  return functions;
}

}  // namespace

Vector ForgedValues(const AttackSpec& spec, const AttackerView& view, Vectors honest) {
  return Functions().at(spec.name)(spec, view, honest);
}

}  // namespace cairn::attacks
