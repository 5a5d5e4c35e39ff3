// Runs the cells of a grid in this process: participants train, attackers lie, a server combines, round after round.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "simulation/attacks/attack.h"
#include "simulation/grid/cell.h"
#include "simulation/model/training.h"
#include "simulation/model/weights.h"
#include "simulation/trainer/cell_server.h"
#include "simulation/trainer/local_training.h"

namespace cairn {

// What all cells have in common.
struct CellSettings {
  Weights base;
  std::vector<std::string> train, held_out;  // By domain.
  std::size_t participants = 10;
  std::vector<std::int64_t> ranks{4};  // Taken in turn; alpha is twice the rank.
  std::uint64_t rounds = 3;
  TrainOptions training;
};

using AttackFactory = std::function<absl::StatusOr<std::unique_ptr<Attack>>(absl::string_view spec)>;

class CellRunner {
 public:
  CellRunner(CellSettings settings, AttackFactory attacks);

  // The result depends on the settings and the cell only, never on earlier cells. Errors: the attack's, the rule's.
  absl::StatusOr<CellResult> Run(const Cell& cell);

 private:
  // The participants of all cells of one concentration and seed. Their first round starts from the base, so that
  // neither rule nor attack changes what they train in it.
  struct Cohort {
    double concentration = 0;
    std::uint64_t seed = 0;
    std::vector<LocalClient> clients;
    std::map<std::pair<std::size_t, bool>, Lora> first_updates;  // By participant and whether labels are flipped.
  };
  // One cell under way.
  struct Federation {
    const Cell& cell;
    std::unique_ptr<Attack> attack;  // Null: nobody attacks.
    CellServer server;
    Weights model;
    std::optional<Lora> published;  // By the last round.
  };

  Cohort& CohortOf(const Cell& cell);
  absl::StatusOr<Federation> Begin(const Cell& cell);
  absl::StatusOr<Lora> Train(const Federation& federation, std::uint64_t round, std::size_t participant);
  absl::Status Attacks(const Federation& federation, std::uint64_t round, std::vector<Upload>& uploads);
  absl::Status RunRound(Federation& federation, std::uint64_t round);
  absl::StatusOr<double> Score(const Weights& model) const;

  const CellSettings settings_;
  const AttackFactory attacks_;
  std::optional<Cohort> cohort_;  // The latest.
  std::optional<double> base_score_;
};

}  // namespace cairn
