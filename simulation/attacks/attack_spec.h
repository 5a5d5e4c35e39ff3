// The names of attacks and their options, without libtorch: `cairn simulate` checks an experiment with them before
// anything runs. attack.h makes attacks of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

// The options of one attack; those of the others stay as they are here.
struct AttackSpec {
  std::string name;
  double z = 0;            // alie: how many deviations. 0: as many as the numbers of clients allow.
  double epsilon = 0;      // ipm: -epsilon mu.
  double c = 0;            // sign_flip, rescale, fake_alpha, half_poison: the factor.
  double sigma = 0;        // gaussian, uniform: length of the noise, in median norms of honest updates.
  double cond = 0;         // ill_conditioned: condition number of the other basis.
  double noise = 0;        // sybil: how far duplicates differ.
  std::int64_t times = 0;  // rank_inflation: how often the factors are repeated.
  std::string direction;   // min_max, min_sum: "unit", "deviation" or "sign".
  std::string base;        // byz_mean: the attack that half of them send.
  // Whether it is made of what updates do, and then factored: to the rank given, or, if that is 0, to as high a rank as
  // it takes.
  bool forges_values = false;
  std::int64_t rank = 0;
};

// From "NAME[:key=value,...]". NOT_FOUND, with the list of known names. INVALID_ARGUMENT: options.
absl::StatusOr<AttackSpec> ParseAttack(absl::string_view spec);
std::vector<std::string> AttackNames();  // Ascending.

// Whether the attack is training on labels that are flipped.
bool FlipsLabels(const AttackSpec& spec);
// Whether a server refuses what it sends when it is uploaded: values that are not finite.
bool IsRefused(const AttackSpec& spec);

// What combine rules ask of updates to be alike.
struct Sent {
  std::int64_t rank = 0;
  double alpha = 0;
  bool another_a = false;  // Its A is not the one that clients who freeze it have.
};
// Of what an attacker sends that trains with `rank` and `alpha`. Forged values without the option rank may have any
// rank up to limits::kUsualRankMax, which is then given.
Sent SentWith(const AttackSpec& spec, std::int64_t rank, double alpha);

}  // namespace cairn
