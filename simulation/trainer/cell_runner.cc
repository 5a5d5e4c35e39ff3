#include "simulation/trainer/cell_runner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "simulation/model/random.h"
#include "simulation/trainer/mixture.h"

namespace cairn {

CellRunner::CellRunner(CellSettings settings, AttackFactory attacks)
    : settings_(std::move(settings)), attacks_(std::move(attacks)) {}

absl::StatusOr<CellResult> CellRunner::Run(const Cell& cell) {
  const absl::Time started = absl::Now();
  CAIRN_ASSIGN_OR_RETURN(Federation federation, Begin(cell));
  if (!base_score_) {
    CAIRN_ASSIGN_OR_RETURN(base_score_, Score(settings_.base));
  }
  CellResult result{*base_score_};
  for (std::uint64_t round = 1; round <= settings_.rounds; ++round) {
    CAIRN_RETURN_IF_ERROR(RunRound(federation, round));
    CAIRN_ASSIGN_OR_RETURN(const double score, Score(federation.model));
    if (!std::isfinite(score)) break;  // Nobody can train on such a model.
    result.losses.push_back(score);
  }
  result.losses.resize(settings_.rounds, std::numeric_limits<double>::infinity());
  result.seconds = absl::ToDoubleSeconds(absl::Now() - started);
  return result;
}

absl::StatusOr<CellRunner::Federation> CellRunner::Begin(const Cell& cell) {
  std::unique_ptr<Attack> attack;
  if (cell.faulty >= settings_.participants) {
    return absl::InvalidArgumentError(
        absl::StrCat("faulty: expected fewer than the ", settings_.participants, " participants, got ", cell.faulty));
  }
  if (cell.faulty > 0) {
    CAIRN_ASSIGN_OR_RETURN(attack, attacks_(cell.attack));
  }
  CAIRN_ASSIGN_OR_RETURN(CellServer server, CellServer::Create(cell.rule, settings_.base.base_model));
  return Federation{cell, std::move(attack), std::move(server), settings_.base.Clone(), std::nullopt};
}

CellRunner::Cohort& CellRunner::CohortOf(const Cell& cell) {
  if (cohort_ && cohort_->concentration == cell.concentration && cohort_->seed == cell.seed) return *cohort_;
  cohort_ = Cohort{cell.concentration, cell.seed, {}, {}};
  const std::size_t window = static_cast<std::size_t>(settings_.base.config.context) + 1;
  std::vector<std::string> texts =
      MixedTexts(settings_.train, settings_.participants, cell.concentration, window, cell.seed);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::int64_t rank = settings_.ranks[i % settings_.ranks.size()];
    cohort_->clients.push_back({.name = ParticipantName(i),
                                .rank = rank,
                                .alpha = 2.0 * static_cast<double>(rank),
                                .seed = cell.seed,
                                .train_text = std::move(texts[i]),
                                .options = settings_.training});
  }
  return *cohort_;
}

absl::StatusOr<Lora> CellRunner::Train(const Federation& federation, std::uint64_t round, std::size_t participant) {
  Cohort& cohort = CohortOf(federation.cell);
  const bool attacks = participant >= settings_.participants - federation.cell.faulty;
  const bool flips = attacks && federation.attack->flips_labels();
  const auto first = cohort.first_updates.find({participant, flips});
  if (round == 1 && first != cohort.first_updates.end()) return first->second;
  LocalClient client = cohort.clients[participant];
  client.options.flip_labels = flips;
  CAIRN_ASSIGN_OR_RETURN(Lora update, TrainFresh(client, federation.model, round, nullptr));
  if (round == 1) cohort.first_updates[{participant, flips}] = update;
  return update;
}

// Puts lies in place of the last uploads.
absl::Status CellRunner::Attacks(const Federation& federation, std::uint64_t round, std::vector<Upload>& uploads) {
  const std::size_t honest = uploads.size() - federation.cell.faulty;
  std::vector<const Lora*> seen;
  for (std::size_t i = 0; i < honest; ++i) seen.push_back(&uploads[i].update);
  for (std::size_t i = honest; i < uploads.size(); ++i) {
    const AttackerView view{.honest = seen,
                            .own = &uploads[i].update,
                            .last = federation.published ? &*federation.published : nullptr,
                            .clients = uploads.size(),
                            .attackers = federation.cell.faulty,
                            .attacker = i - honest,
                            .seed = SeedOf(federation.cell.seed, {"attack", federation.cell.attack}),
                            .round = round};
    CAIRN_ASSIGN_OR_RETURN(uploads[i].update, federation.attack->Forge(view));
  }
  return absl::OkStatus();
}

absl::Status CellRunner::RunRound(Federation& federation, std::uint64_t round) {
  std::vector<Upload> uploads;
  const std::vector<LocalClient>& clients = CohortOf(federation.cell).clients;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(Lora update, Train(federation, round, i));
    const auto windows = clients[i].train_text.size() / static_cast<std::size_t>(settings_.base.config.context);
    uploads.push_back({clients[i].name, std::max(1.0, static_cast<double>(windows)), std::move(update)});
  }
  if (federation.attack != nullptr) CAIRN_RETURN_IF_ERROR(Attacks(federation, round, uploads));
  CAIRN_ASSIGN_OR_RETURN(federation.published, federation.server.Combine(round, uploads));
  return MergeInto(*federation.published, federation.model);
}

absl::StatusOr<double> CellRunner::Score(const Weights& model) const {
  double sum = 0;
  for (const std::string& text : settings_.held_out) {
    CAIRN_ASSIGN_OR_RETURN(const double loss, HeldOutLoss(model, nullptr, text));
    sum += loss;
  }
  return sum / static_cast<double>(settings_.held_out.size());
}

}  // namespace cairn
