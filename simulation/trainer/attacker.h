// A trainer process that attacks: it sends what its attack makes of its own update and those of its accomplices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "simulation/attacks/attack.h"

namespace cairn {

struct AttackerOptions {
  std::string attack;  // NAME[:key=value,...]. Empty: none.
  // A directory in which accomplices leave their own updates for each other. Not needed by one that attacks alone.
  std::filesystem::path accomplices;
  std::size_t clients = 2;    // All of the federation.
  std::size_t attackers = 1;  // Of them, those that attack together.
  std::size_t attacker = 0;   // Which one of them this is, from 0.
};

// What an attacker has in a round, besides what its accomplices share.
struct AttackerRound {
  std::uint64_t number = 0;
  const Lora* own = nullptr;    // Trained on its own text.
  const Lora* start = nullptr;  // What training began with in a warm round. Null: nothing.
  const Lora* last = nullptr;   // What was pulled for the round. Null: nothing is published yet.
};

class Attacker {
 public:
  // `seed` is the experiment's. Errors as MakeAttack; INVALID_ARGUMENT: numbers that do not fit together, or several
  // attackers without a directory.
  static absl::StatusOr<std::unique_ptr<Attacker>> Create(AttackerOptions options, std::uint64_t seed);

  const std::string& attack() const { return options_.attack; }
  bool flips_labels() const { return attack_->flips_labels(); }
  bool is_refused() const { return attack_->is_refused(); }

  // What to upload. Shares `own` first and waits for all accomplices to do so. DEADLINE_EXCEEDED names the one that did
  // not within `timeout`.
  absl::StatusOr<Lora> Forge(const AttackerRound& round, absl::Duration timeout) const;

 private:
  Attacker(AttackerOptions options, std::uint64_t seed, std::unique_ptr<Attack> attack);
  std::filesystem::path SharedBy(std::size_t attacker, std::uint64_t round) const;
  absl::StatusOr<Lora> Await(std::size_t accomplice, std::uint64_t round, absl::Time end) const;

  const AttackerOptions options_;
  const std::uint64_t seed_;
  const std::unique_ptr<Attack> attack_;
};

}  // namespace cairn
