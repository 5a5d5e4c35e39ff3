#include "simulation/grid/grid_figures.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "simulation/chart.h"
#include "simulation/grid/heat_map.h"
#include "simulation/report_style.h"

namespace cairn {
namespace {

constexpr int kLearned = 6;                      // Levels below the base.
constexpr double kGuessing = 5.545177444479562;  // ln 256: the loss of saying nothing about the next byte.

double BestOf(const GridResults& results) { return results.best().value_or(0); }

std::string NameOf(const std::string& attack) { return attack.substr(0, attack.find(':')); }

HeatCell HeatCellOf(const GridResults& results, const GridPlace& place) {
  const std::optional<GridResults::Worst> worst = results.WorstOf(place);
  if (!worst) return {std::nullopt, "-", "", results.WhyNone(place)};
  const std::string score = ScoreText(worst->score);
  return {HeatLevelOf(worst->score, BestOf(results), BaseOf(results)), ScoreText(worst->score, worst->of_all),
          place.faulty == 0 ? "" : NameOf(worst->attack), absl::StrCat(worst->attack, ": ", score)};
}

Series SeriesOf(const GridResults& results, const GridPlace& place, const std::string& attack, std::size_t colour) {
  Series series{attack, colour % kReportColours, {}, true};
  const std::vector<double> curve = results.Curve(place, attack);
  for (std::size_t round = 0; round < curve.size(); ++round) {
    series.points.emplace_back(static_cast<double>(round), curve[round]);
  }
  return series;
}

std::string Scale(const GridResults& results) {
  const auto swatches = [](int from, int to) {
    std::string out;
    for (int level = from; level < to; ++level) {
      absl::StrAppend(&out, "<i style=\"background:var(--heat-", level, ")\"></i>");
    }
    return out;
  };
  return absl::StrFormat(
      "<p class=\"legend scale\"><span>best of all, %s %s base, %s</span><span>above the base %s</span>"
      "<span>no better than guessing bytes %s</span></p>\n",
      ScoreText(BestOf(results)), swatches(0, kLearned), ScoreText(BaseOf(results)),
      swatches(kLearned, kHeatLevels - 1), swatches(kHeatLevels - 1, kHeatLevels));
}

// Half of what the best has learned: how far above the base differences are still shown.
double MarginOf(double best, double base) { return std::max(0.0, base - best) / 2; }

// The best is above the base when every cell ended worse, and infinite when all are broken.
double TopOf(double best, double base) {
  return (std::isfinite(best) ? std::max(base, best) : base) + MarginOf(best, base);
}

}  // namespace

double BaseOf(const GridResults& results) { return results.base().value_or(0); }

int HeatLevelOf(double score, double best, double base) {
  if (!(score < kGuessing)) return kHeatLevels - 1;
  if (score > base + MarginOf(best, base)) return kHeatLevels - 2;
  if (score > base) return kLearned;
  const double part = base > best ? (score - best) / (base - best) : 0;
  return std::clamp(static_cast<int>(kLearned * part), 0, kLearned - 1);
}

std::string HeatMapFigures(const GridResults& results) {
  std::string out = absl::StrCat(Scale(results), "<div class=\"charts\">\n");
  for (const GridRule& rule : results.grid().rules) {
    HeatMap map{rule.name, absl::StrCat("attackers of ", results.grid().participants), "alpha", {}, {}, {}};
    for (const std::uint32_t faulty : results.grid().faulty) map.x.push_back(absl::StrCat(faulty));
    for (const double concentration : results.grid().concentrations) {
      map.y.push_back(ConcentrationText(concentration));
      std::vector<HeatCell>& row = map.cells.emplace_back();
      for (const std::uint32_t faulty : results.grid().faulty) {
        row.push_back(HeatCellOf(results, {&rule, concentration, faulty}));
      }
    }
    absl::StrAppend(&out, "<figure>", HeatMapSvg(map), "</figure>\n");
  }
  return out + "</div>\n";
}

std::string CurveLegend(const GridResults& results) {
  std::string out = "<p class=\"legend\"><span><i style=\"background:var(--series-0)\"></i>no attack</span>";
  for (std::size_t a = 0; a < results.grid().attacks.size(); ++a) {
    absl::StrAppend(&out, absl::StrFormat("<span><i style=\"background:var(--series-%d)\"></i>%s</span>",
                                          (a + 1) % kReportColours, EscapeXml(results.grid().attacks[a])));
  }
  return out + "</p>\n";
}

std::string CurveFigures(const GridResults& results, double concentration, std::uint32_t faulty) {
  std::string out = "<div class=\"charts\">\n";
  for (const GridRule& rule : results.grid().rules) {
    Chart chart{rule.name, "round", {}, static_cast<double>(results.experiment().rounds), true};
    chart.y_limit = TopOf(BestOf(results), BaseOf(results));
    chart.series.push_back(SeriesOf(results, {&rule, concentration, 0}, kNoAttack, 0));
    for (std::size_t a = 0; a < results.grid().attacks.size(); ++a) {
      chart.series.push_back(SeriesOf(results, {&rule, concentration, faulty}, results.grid().attacks[a], a + 1));
    }
    absl::StrAppend(&out, "<figure>", ChartSvg(chart), "</figure>\n");
  }
  return out + "</div>\n";
}

}  // namespace cairn
