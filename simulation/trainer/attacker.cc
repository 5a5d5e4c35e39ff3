#include "simulation/trainer/attacker.h"

#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "base/status_macros.h"
#include "simulation/model/random.h"

namespace cairn {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(20);

absl::Status CheckOptions(const AttackerOptions& options) {
  if (options.attacker >= options.attackers || options.attackers >= options.clients) {
    return absl::InvalidArgumentError(absl::StrCat("expected attacker < attackers < clients, got ", options.attacker,
                                                   ", ", options.attackers, ", ", options.clients));
  }
  if (options.attackers == 1 || !options.accomplices.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected a directory for the updates of ", options.attackers, " attackers, got none"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Attacker>> Attacker::Create(AttackerOptions options, std::uint64_t seed) {
  CAIRN_RETURN_IF_ERROR(CheckOptions(options));
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Attack> attack, MakeAttack(options.attack));
  return std::unique_ptr<Attacker>(new Attacker(std::move(options), seed, std::move(attack)));
}

Attacker::Attacker(AttackerOptions options, std::uint64_t seed, std::unique_ptr<Attack> attack)
    : options_(std::move(options)), seed_(seed), attack_(std::move(attack)) {}

absl::StatusOr<Lora> Attacker::Forge(const AttackerRound& round, absl::Duration timeout) const {
  std::vector<Lora> shared;
  if (options_.attackers > 1) {
    CAIRN_ASSIGN_OR_RETURN(const AdapterBytes own, ToAdapter(*round.own, ""));
    CAIRN_RETURN_IF_ERROR(WriteAdapter(own, SharedBy(options_.attacker, round.number)));
    const absl::Time end = absl::Now() + timeout;
    for (std::size_t i = 0; i < options_.attackers; ++i) {
      CAIRN_ASSIGN_OR_RETURN(shared.emplace_back(), Await(i, round.number, end));
    }
  }
  std::vector<const Lora*> seen;
  for (const Lora& update : shared) seen.push_back(&update);
  if (seen.empty()) seen.push_back(round.own);
  return attack_->Forge({.honest = seen,
                         .own = round.own,
                         .last = round.last,
                         .clients = options_.clients,
                         .attackers = options_.attackers,
                         .attacker = options_.attacker,
                         .seed = SeedOf(seed_, {"attack", options_.attack}),
                         .round = round.number,
                         .start = round.start});
}

std::filesystem::path Attacker::SharedBy(std::size_t attacker, std::uint64_t round) const {
  return options_.accomplices / absl::StrCat("round-", round) / absl::StrCat(attacker);
}

// The tensors are written last, and appear as a whole.
absl::StatusOr<Lora> Attacker::Await(std::size_t accomplice, std::uint64_t round, absl::Time end) const {
  const std::filesystem::path directory = SharedBy(accomplice, round);
  std::error_code ignored;
  while (!std::filesystem::exists(directory / kAdapterModelFile, ignored)) {
    if (absl::Now() >= end) {
      return absl::DeadlineExceededError(
          absl::StrCat("accomplice ", accomplice, " has not shared its update in ", directory.string()));
    }
    absl::SleepFor(kPoll);
  }
  return ReadAdapter(directory);
}

}  // namespace cairn
