// What the cells of a grid say together. Scores are held-out losses in nats per byte, means over the seeds; lower is
// better, infinity is a broken model.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulation/experiment.h"
#include "simulation/grid/cell.h"

namespace cairn {

// Where a rule stands: one cell for each attack and seed.
struct GridPlace {
  const GridRule* rule = nullptr;  // Of the grid, with "{f}" in it.
  double concentration = 0;
  std::uint32_t faulty = 0;
};

class GridResults {
 public:
  // `experiment` has a grid; `outcomes` are by KeyOf.
  GridResults(Experiment experiment, std::map<std::string, CellOutcome> outcomes);

  const Experiment& experiment() const { return experiment_; }
  const Grid& grid() const { return *experiment_.grid; }
  // Those that a place may have: kNoAttack alone for f = 0.
  const std::vector<std::string>& AttacksOf(const GridPlace& place) const;

  // Before the first round; the same in all cells. None: no cell is done.
  std::optional<double> base() const { return base_; }
  // The lowest score of all. None: as above.
  std::optional<double> best() const { return best_; }

  // Whether every seed's cell is done. Else scores and curves are those of the seeds that are.
  bool IsWhole(const GridPlace& place, const std::string& attack) const;
  // After the last round. None: no seed's cell is done.
  std::optional<double> Score(const GridPlace& place, const std::string& attack) const;
  // The base, and after each round. Empty: as above.
  std::vector<double> Curve(const GridPlace& place, const std::string& attack) const;

  struct Worst {
    std::string attack;
    double score = 0;
    bool of_all = true;  // False when a cell of an attack or a seed is not done.
  };
  // Over the attacks.
  std::optional<Worst> WorstOf(const GridPlace& place) const;
  // Why there is none: a rule's bound, or what failed. Empty: it was not run.
  std::string WhyNone(const GridPlace& place) const;

  struct Failure {
    Cell cell;
    std::string reason;
  };
  std::vector<Failure> Failures() const;

 private:
  std::vector<GridPlace> Places() const;
  std::vector<Cell> CellsAt(const GridPlace& place, const std::string& attack) const;
  const CellOutcome* OutcomeOf(const Cell& cell) const;

  Experiment experiment_;
  std::map<std::string, CellOutcome> outcomes_;
  std::optional<double> base_, best_;
};

// "2.913", "broken"; with a star unless it is whole.
std::string ScoreText(double score, bool whole = true);

// For a terminal: one table for each concentration, a row for each rule, a column for each f; cells have the worst
// attack's score and name.
std::string WorstTables(const GridResults& results);

// "f = 3 of 10, worst over concentrations and attacks: flag 2.953 (alie, alpha 0.1), ...", the best rule first. Rules
// with cells that are not done come last, with a star and a sentence on it: what is missing may be the worst.
std::string GridVerdict(const GridResults& results);

// "2 cells failed, ..."; empty when none did.
std::string FailureNote(const GridResults& results);

}  // namespace cairn
