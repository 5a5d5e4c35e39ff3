#include "simulation/grid/grid_results.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/table.h"

namespace cairn {
namespace {

std::string CellText(const GridResults& results, const GridPlace& place) {
  const std::optional<GridResults::Worst> worst = results.WorstOf(place);
  if (!worst) return "-";
  const std::string score = absl::StrCat(ScoreText(worst->score), worst->of_all ? "" : "*");
  return place.faulty == 0 ? score : absl::StrCat(score, " ", worst->attack);
}

}  // namespace

GridResults::GridResults(Experiment experiment, std::map<std::string, CellOutcome> outcomes)
    : experiment_(std::move(experiment)), outcomes_(std::move(outcomes)) {
  for (const auto& [key, outcome] : outcomes_) {
    if (outcome.kind == CellOutcome::Kind::kDone) base_ = outcome.result.base;
  }
  for (const GridPlace& place : Places()) {
    for (const std::string& attack : AttacksOf(place)) {
      const std::optional<double> score = Score(place, attack);
      if (score && (!best_ || *score < *best_)) best_ = score;
    }
  }
}

const std::vector<std::string>& GridResults::AttacksOf(const GridPlace& place) const {
  static const auto& none = *new std::vector<std::string>{kNoAttack};
  return place.faulty == 0 ? none : grid().attacks;
}

std::vector<GridPlace> GridResults::Places() const {
  std::vector<GridPlace> places;
  for (const GridRule& rule : grid().rules) {
    for (const double concentration : grid().concentrations) {
      for (const std::uint32_t faulty : grid().faulty) places.push_back({&rule, concentration, faulty});
    }
  }
  return places;
}

std::vector<Cell> GridResults::CellsAt(const GridPlace& place, const std::string& attack) const {
  std::vector<Cell> cells;
  for (const std::uint64_t seed : grid().seeds) {
    cells.push_back({Against(*place.rule, place.faulty), attack, place.concentration, place.faulty, seed});
  }
  return cells;
}

const CellOutcome* GridResults::OutcomeOf(const Cell& cell) const {
  const auto found = outcomes_.find(KeyOf(cell));
  return found == outcomes_.end() ? nullptr : &found->second;
}

std::vector<double> GridResults::Curve(const GridPlace& place, const std::string& attack) const {
  std::vector<double> sum;
  std::size_t cells = 0;
  for (const Cell& cell : CellsAt(place, attack)) {
    const CellOutcome* outcome = OutcomeOf(cell);
    if (outcome == nullptr || outcome->kind != CellOutcome::Kind::kDone) continue;
    sum.resize(1 + outcome->result.losses.size());
    sum[0] += outcome->result.base;
    for (std::size_t i = 1; i < sum.size(); ++i) sum[i] += outcome->result.losses[i - 1];
    ++cells;
  }
  for (double& value : sum) value /= static_cast<double>(cells);
  return sum;
}

std::optional<double> GridResults::Score(const GridPlace& place, const std::string& attack) const {
  const std::vector<double> curve = Curve(place, attack);
  if (curve.empty()) return std::nullopt;
  return curve.back();
}

std::optional<GridResults::Worst> GridResults::WorstOf(const GridPlace& place) const {
  std::optional<Worst> worst;
  bool of_all = true;
  for (const std::string& attack : AttacksOf(place)) {
    for (const Cell& cell : CellsAt(place, attack)) {
      const CellOutcome* outcome = OutcomeOf(cell);
      of_all = of_all && outcome != nullptr && outcome->kind == CellOutcome::Kind::kDone;
    }
    const std::optional<double> score = Score(place, attack);
    if (score && (!worst || *score > worst->score)) worst = {attack, *score};
  }
  if (worst) worst->of_all = of_all;
  return worst;
}

std::string GridResults::WhyNone(const GridPlace& place) const {
  for (const std::string& attack : AttacksOf(place)) {
    for (const Cell& cell : CellsAt(place, attack)) {
      const CellOutcome* outcome = OutcomeOf(cell);
      if (outcome != nullptr && !outcome->reason.empty()) return outcome->reason;
    }
  }
  return "";
}

std::vector<GridResults::Failure> GridResults::Failures() const {
  std::vector<Failure> failures;
  for (const GridPlace& place : Places()) {
    for (const std::string& attack : AttacksOf(place)) {
      for (Cell& cell : CellsAt(place, attack)) {
        const CellOutcome* outcome = OutcomeOf(cell);
        if (outcome == nullptr || outcome->kind != CellOutcome::Kind::kFailed) continue;
        failures.push_back({std::move(cell), outcome->reason});
      }
    }
  }
  return failures;
}

std::string ScoreText(double score) { return std::isfinite(score) ? absl::StrFormat("%.3f", score) : "broken"; }

std::string WorstTables(const GridResults& results) {
  std::string out;
  const Grid& grid = results.grid();
  for (const double concentration : grid.concentrations) {
    std::vector<std::vector<std::string>> rows = {{absl::StrCat("alpha ", ConcentrationText(concentration))}};
    for (const std::uint32_t faulty : grid.faulty) rows[0].push_back(absl::StrCat("f = ", faulty));
    for (const GridRule& rule : grid.rules) {
      std::vector<std::string>& row = rows.emplace_back();
      row.push_back(rule.name);
      for (const std::uint32_t faulty : grid.faulty) row.push_back(CellText(results, {&rule, concentration, faulty}));
    }
    absl::StrAppend(&out, FormatTable(rows, Align::kLeft), "\n");
  }
  return out;
}

std::string GridVerdict(const GridResults& results) {
  const Grid& grid = results.grid();
  const std::uint32_t faulty = grid.faulty.back();
  std::vector<std::tuple<double, std::string, std::string>> rules;  // Score, name, text.
  for (const GridRule& rule : grid.rules) {
    std::optional<GridResults::Worst> worst;
    double where = 0;
    for (const double concentration : grid.concentrations) {
      const std::optional<GridResults::Worst> here = results.WorstOf({&rule, concentration, faulty});
      if (here && (!worst || here->score > worst->score)) worst = here, where = concentration;
    }
    if (!worst) continue;
    rules.emplace_back(worst->score, rule.name,
                       absl::StrCat(rule.name, " ", ScoreText(worst->score), " (", worst->attack, ", alpha ",
                                    ConcentrationText(where), ")"));
  }
  if (rules.empty()) return "";
  std::sort(rules.begin(), rules.end());
  return absl::StrCat("f = ", faulty, " of ", grid.participants, ", worst over concentrations and attacks: ",
                      absl::StrJoin(rules, ", ", [](std::string* out, const auto& rule) { *out += std::get<2>(rule); }),
                      ".");
}

}  // namespace cairn
