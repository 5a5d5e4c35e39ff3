#include "simulation/grid/grid_results.h"

#include <algorithm>
#include <cmath>
#include <compare>
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
  const std::string score = ScoreText(worst->score, worst->of_all);
  return place.faulty == 0 ? score : absl::StrCat(score, " ", worst->attack);
}

// A rule among the others, in the order of a verdict.
struct Standing {
  bool incomplete = false;
  double score = 0;
  std::string text;
  friend auto operator<=>(const Standing&, const Standing&) = default;
};

// At the largest f. None: no cell is done there.
std::optional<Standing> StandingOf(const GridResults& results, const GridRule& rule) {
  std::optional<GridResults::Worst> worst;
  double where = 0;
  bool incomplete = false;
  for (const double concentration : results.grid().concentrations) {
    const auto here = results.WorstOf({&rule, concentration, results.grid().faulty.back()});
    incomplete = incomplete || !here || !here->of_all;
    if (here && (!worst || here->score > worst->score)) worst = here, where = concentration;
  }
  if (!worst) return std::nullopt;
  return Standing{incomplete, worst->score,
                  absl::StrCat(rule.name, " ", ScoreText(worst->score, !incomplete), " (", worst->attack, ", alpha ",
                               ConcentrationText(where), ")")};
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

bool GridResults::IsWhole(const GridPlace& place, const std::string& attack) const {
  const std::vector<Cell> cells = CellsAt(place, attack);
  return std::all_of(cells.begin(), cells.end(), [this](const Cell& cell) {
    const CellOutcome* outcome = OutcomeOf(cell);
    return outcome != nullptr && outcome->kind == CellOutcome::Kind::kDone;
  });
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
    of_all = of_all && IsWhole(place, attack);
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

std::string ScoreText(double score, bool whole) {
  return absl::StrCat(std::isfinite(score) ? absl::StrFormat("%.3f", score) : "broken", whole ? "" : "*");
}

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
  std::vector<Standing> rules;
  for (const GridRule& rule : grid.rules) {
    if (std::optional<Standing> standing = StandingOf(results, rule)) rules.push_back(*std::move(standing));
  }
  if (rules.empty()) return "";
  std::sort(rules.begin(), rules.end());
  return absl::StrCat("f = ", grid.faulty.back(), " of ", grid.participants,
                      ", worst over concentrations and attacks: ",
                      absl::StrJoin(rules, ", ", [](std::string* out, const Standing& rule) { *out += rule.text; }),
                      rules.back().incomplete ? ". * has cells that are not done, which may be worse." : ".");
}

std::string FailureNote(const GridResults& results) {
  const std::size_t failed = results.Failures().size();
  if (failed == 0) return "";
  return absl::StrCat(failed, failed == 1 ? " cell" : " cells",
                      " failed: cells.csv says why, * is what lacks one, and the same command tries again");
}

}  // namespace cairn
