// For tests: a small grid and what came of its cells.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "simulation/experiment.h"
#include "simulation/grid/cell.h"

namespace cairn {

// Rules mean and krum, attacks alie and sign_flip:c=5, alpha 0.1 and inf, f 0 and 1 of 4, seeds 1 and 2.
inline Experiment ExampleGrid() {
  Experiment experiment;
  experiment.name = "a <test> & more";
  experiment.rounds = 2;
  Grid grid;
  grid.participants = 4;
  grid.domains = {{"gpl", {"GPL-3"}}, {"c", {"elf.h"}, true}};
  grid.concentrations = {0.1, std::numeric_limits<double>::infinity()};
  grid.faulty = {0, 1};
  grid.attacks = {"alie", "sign_flip:c=5"};
  grid.rules = {{"mean", "examples", {}, "stack", ""}, {"krum", "krum:f={f}", {}, "stack", ""}};
  grid.seeds = {1, 2};
  experiment.grid = std::move(grid);
  return experiment;
}

// Base 4; without attackers mean ends at 2.5 and krum at 2.6. With one of 0.1's sign_flip the mean breaks; one cell of
// krum failed, and at inf its bound refuses it.
inline std::map<std::string, CellOutcome> ExampleOutcomes() {
  using Kind = CellOutcome::Kind;
  const double infinity = std::numeric_limits<double>::infinity();
  const Experiment experiment = ExampleGrid();
  const std::vector<GridRule>& rules = experiment.grid->rules;
  std::map<std::string, CellOutcome> out;
  const auto add = [&](std::size_t rule, const std::string& attack, double concentration, std::uint32_t faulty,
                       std::vector<double> finals) {
    for (std::size_t i = 0; i < finals.size(); ++i) {
      const Cell cell{Against(rules[rule], faulty), attack, concentration, faulty, experiment.grid->seeds[i]};
      out[KeyOf(cell)] = {Kind::kDone, {4.0, {3.5, finals[i]}, 1.0}, ""};
    }
  };
  for (const double concentration : experiment.grid->concentrations) {
    add(0, kNoAttack, concentration, 0, {2.5, 2.5});
    add(1, kNoAttack, concentration, 0, {2.6, 2.6});
  }
  add(0, "alie", 0.1, 1, {3.0, 3.2});
  add(0, "sign_flip:c=5", 0.1, 1, {6.0, infinity});
  add(0, "alie", infinity, 1, {3.1, 3.1});
  add(0, "sign_flip:c=5", infinity, 1, {3.0, 3.0});
  add(1, "alie", 0.1, 1, {2.9});
  add(1, "sign_flip:c=5", 0.1, 1, {3.3, 3.3});
  const auto without = [&](const std::string& attack, double concentration, std::uint64_t seed, Kind kind,
                           const std::string& reason) {
    out[KeyOf({Against(rules[1], 1), attack, concentration, 1, seed})] = {kind, {}, reason};
  };
  without("alie", 0.1, 2, Kind::kFailed, "killed");
  for (const std::string& attack : experiment.grid->attacks) {
    for (const std::uint64_t seed : experiment.grid->seeds) {
      without(attack, infinity, seed, Kind::kRefused, "needs more clients");
    }
  }
  return out;
}

}  // namespace cairn
