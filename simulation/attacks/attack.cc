#include "simulation/attacks/attack.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "simulation/attacks/attack_factors.h"
#include "simulation/attacks/attack_spec.h"
#include "simulation/attacks/attack_values.h"
#include "simulation/attacks/dense.h"
#include "simulation/attacks/mimic.h"
#include "simulation/model/random.h"
#include "simulation/model/torch_guard.h"

namespace cairn {
namespace {

using attacks::Vector;
using ForgeFunction = absl::StatusOr<Lora> (*)(const AttackSpec&, const AttackerView&);

absl::Status CheckView(const AttackerView& view) {
  if (view.honest.empty()) return absl::InvalidArgumentError("expected at least one honest update, got none");
  if (view.attacker < view.attackers && view.attackers < view.clients) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected attacker < attackers < clients, got ", view.attacker, ", ",
                                                 view.attackers, ", ", view.clients));
}

absl::StatusOr<std::vector<Vector>> HonestValues(const AttackerView& view) {
  std::vector<Vector> honest;
  for (const Lora* update : view.honest) {
    CAIRN_ASSIGN_OR_RETURN(honest.emplace_back(), attacks::ValuesOf(*update, *view.own));
  }
  return honest;
}

// Forges values, measured from the start of the round, and factors them.
absl::StatusOr<Lora> ForgeValues(const AttackSpec& spec, const AttackerView& view) {
  CAIRN_ASSIGN_OR_RETURN(std::vector<Vector> honest, HonestValues(view));
  Vector start(honest.front().size());
  if (view.start != nullptr) {
    CAIRN_ASSIGN_OR_RETURN(start, attacks::ValuesOf(*view.start, *view.own));
  }
  for (Vector& update : honest) attacks::AddScaled(-1, start, update);
  Vector forged = attacks::ForgedValues(spec, view, honest);
  attacks::AddScaled(1, start, forged);
  return attacks::FromValues(forged, *view.own, spec.rank);
}

absl::StatusOr<Lora> Replay(const AttackSpec& spec, const AttackerView& view) {
  if (view.last == nullptr) return *view.own;
  CAIRN_ASSIGN_OR_RETURN(const Vector last, attacks::ValuesOf(*view.last, *view.own));
  return attacks::FromValues(last, *view.own, spec.rank);
}

absl::StatusOr<Lora> Mimic(const AttackSpec&, const AttackerView& view) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<Vector> honest, HonestValues(view));
  return *view.honest[attacks::MimicVictim(honest)];
}

absl::StatusOr<Lora> OwnAsItIs(const AttackSpec&, const AttackerView& view) { return *view.own; }

std::uint64_t RoundSeed(const AttackerView& view) { return SeedOf(view.seed, {"round", absl::StrCat(view.round)}); }

// Those that do not forge values, and replay.
const std::map<std::string, ForgeFunction>& Functions() {
  using Spec = const AttackSpec&;
  using View = const AttackerView&;
  using Result = absl::StatusOr<Lora>;
  static const auto& functions = *new std::map<std::string, ForgeFunction>{
      {"fake_alpha", [](Spec spec, View view) -> Result { return attacks::FakeAlpha(*view.own, spec.c); }},
      {"half_poison", [](Spec spec, View view) -> Result { return attacks::HalfPoisoned(*view.own, spec.c); }},
      {"ill_conditioned",
       [](Spec spec, View view) -> Result { return attacks::IllConditioned(*view.own, spec.cond, RoundSeed(view)); }},
      {"inf", [](Spec, View view) -> Result { return attacks::Filled(*view.own, INFINITY); }},
      {"label_flip", OwnAsItIs},
      {"mimic", Mimic},
      {"nan", [](Spec, View view) -> Result { return attacks::Filled(*view.own, NAN); }},
      {"rank_inflation", [](Spec spec, View view) -> Result { return attacks::RankInflated(*view.own, spec.times); }},
      {"rescale", [](Spec spec, View view) -> Result { return attacks::Rescaled(*view.own, spec.c); }},
      {"stale_replay", Replay},
  };
  return functions;
}

class NamedAttack final : public Attack {
 public:
  NamedAttack(AttackSpec spec, ForgeFunction forge) : spec_(std::move(spec)), forge_(forge) {}

  bool flips_labels() const override { return FlipsLabels(spec_); }
  bool is_refused() const override { return IsRefused(spec_); }

  absl::StatusOr<Lora> Forge(const AttackerView& view) const override {
    CAIRN_RETURN_IF_ERROR(CheckView(view));
    Lora forged;
    CAIRN_RETURN_IF_ERROR(CatchTorch(spec_.name, [&] {
      CAIRN_ASSIGN_OR_RETURN(forged, forge_(spec_, view));
      return absl::OkStatus();
    }));
    return forged;
  }

 private:
  const AttackSpec spec_;
  const ForgeFunction forge_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeAttack(absl::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(AttackSpec spec, ParseAttack(text));
  const auto found = Functions().find(spec.name);
  const ForgeFunction forge = found != Functions().end() ? found->second : ForgeValues;
  return std::make_unique<NamedAttack>(std::move(spec), forge);
}

}  // namespace cairn
