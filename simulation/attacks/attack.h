// Attacks: what a client that lies sends instead of its update. docs/simulation.md has formulas and sources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "simulation/attacks/attack_spec.h"
#include "simulation/model/lora.h"

namespace cairn {

// What an attacker knows in a round. Attackers that see everything (`honest`) are the strongest; real processes see
// what they and their accomplices would have sent.
struct AttackerView {
  absl::Span<const Lora* const> honest;  // Updates that the attacker sees, at least one; of one start.
  const Lora* own = nullptr;             // What it would have sent itself, trained on its own text. Never null.
  const Lora* last = nullptr;            // What the last round published; null in the first.
  std::size_t clients = 0;               // p: all clients of the round.
  std::size_t attackers = 0;             // f: of them, those who attack together.
  std::size_t attacker = 0;              // Which one of them this is, from 0.
  std::uint64_t seed = 0;   // Of the experiment and the attack: the same in all rounds, for all accomplices.
  std::uint64_t round = 0;  // For what is drawn anew in each round.
  // What all went on from in a warm round: attacks on values are on what was learned since. Null: on all that is sent.
  const Lora* start = nullptr;
};

class Attack {
 public:
  virtual ~Attack() = default;
  // Whether the attacker trains `own` on labels that are flipped.
  virtual bool flips_labels() const { return false; }
  // Whether a server refuses whatever it uploads (IsRefused).
  virtual bool is_refused() const { return false; }
  // What it uploads: one rank and alpha for all modules; the modules of `own`. Deterministic. INVALID_ARGUMENT: no
  // honest update, numbers that do not fit together, modules or dimensions that `own` has not.
  virtual absl::StatusOr<Lora> Forge(const AttackerView& view) const = 0;
};

// Errors as ParseAttack (attack_spec.h, which also has AttackNames).
absl::StatusOr<std::unique_ptr<Attack>> MakeAttack(absl::string_view spec);

}  // namespace cairn
