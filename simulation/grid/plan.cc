#include "simulation/grid/plan.h"

#include "aggregators/weighing.h"
#include "simulation/attacks/attack_spec.h"

namespace cairn {
namespace {

// How many uploads a round has: what a server refuses as it comes does not take part.
std::uint32_t UploadsOf(const Grid& grid, const Cell& cell) {
  const absl::StatusOr<AttackSpec> attack = ParseAttack(cell.attack);
  return attack.ok() && IsRefused(*attack) ? grid.participants - cell.faulty : grid.participants;
}

}  // namespace

std::vector<Cell> CellsOf(const Grid& grid) {
  std::vector<Cell> cells;
  for (const double concentration : grid.concentrations) {
    for (const std::uint64_t seed : grid.seeds) {
      for (const std::uint32_t faulty : grid.faulty) {
        const std::vector<std::string> attacks = faulty == 0 ? std::vector<std::string>{kNoAttack} : grid.attacks;
        for (const std::string& attack : attacks) {
          for (const GridRule& rule : grid.rules) {
            cells.push_back({Against(rule, faulty), attack, concentration, faulty, seed});
          }
        }
      }
    }
  }
  return cells;
}

std::optional<std::string> RefusalOf(const Grid& grid, const Cell& cell) {
  const absl::StatusOr<Weighing> weighing = Weighing::Create(cell.rule.rule, cell.rule.guards);
  const absl::Status status = weighing.ok() ? weighing->CheckClients(UploadsOf(grid, cell)) : weighing.status();
  if (status.ok()) return std::nullopt;
  return std::string(status.message());
}

}  // namespace cairn
