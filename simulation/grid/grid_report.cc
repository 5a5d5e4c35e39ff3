#include "simulation/grid/grid_report.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "simulation/chart.h"
#include "simulation/grid/heat_map.h"
#include "simulation/report_style.h"

namespace cairn {
namespace {

constexpr int kLearned = 6;                      // Levels below the base.
constexpr double kGuessing = 5.545177444479562;  // ln 256: the loss of saying nothing about the next byte.

// What many parts of the page need.
struct Page {
  const GridResults& results;
  const Grid& grid;
  double base, best;
};

std::string NameOf(const std::string& attack) { return attack.substr(0, attack.find(':')); }

std::string AttackersText(const Page& page, std::uint32_t faulty) {
  return absl::StrCat("f = ", faulty, " of ", page.grid.participants);
}

HeatCell HeatCellOf(const Page& page, const GridPlace& place) {
  const std::optional<GridResults::Worst> worst = page.results.WorstOf(place);
  if (!worst) return {std::nullopt, "-", "", page.results.WhyNone(place)};
  const std::string score = ScoreText(worst->score);
  return {HeatLevelOf(worst->score, page.best, page.base), absl::StrCat(score, worst->of_all ? "" : "*"),
          place.faulty == 0 ? "" : NameOf(worst->attack), absl::StrCat(worst->attack, ": ", score)};
}

std::string HeatMaps(const Page& page) {
  std::string out;
  for (const GridRule& rule : page.grid.rules) {
    HeatMap map{rule.name, absl::StrCat("attackers of ", page.grid.participants), "alpha", {}, {}, {}};
    for (const std::uint32_t faulty : page.grid.faulty) map.x.push_back(absl::StrCat(faulty));
    for (const double concentration : page.grid.concentrations) {
      map.y.push_back(ConcentrationText(concentration));
      std::vector<HeatCell>& row = map.cells.emplace_back();
      for (const std::uint32_t faulty : page.grid.faulty) {
        row.push_back(HeatCellOf(page, {&rule, concentration, faulty}));
      }
    }
    absl::StrAppend(&out, "<figure>", HeatMapSvg(map), "</figure>\n");
  }
  return out;
}

std::string Scale(const Page& page) {
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
      ScoreText(page.best), swatches(0, kLearned), ScoreText(page.base), swatches(kLearned, kHeatLevels - 1),
      swatches(kHeatLevels - 1, kHeatLevels));
}

std::string ScoreCell(const Page& page, const std::optional<double>& score) {
  if (!score) return "<td>-</td>";
  return absl::StrFormat("<td class=\"%s\">%s</td>", *score < page.base ? "better" : "worse", ScoreText(*score));
}

// Rules by attacks at one concentration and f.
std::string AttackTable(const Page& page, double concentration, std::uint32_t faulty) {
  std::string out = "<table>\n<thead><tr><th>rule</th>";
  for (const std::string& attack : page.grid.attacks) absl::StrAppend(&out, "<th>", EscapeXml(attack), "</th>");
  absl::StrAppend(&out, "<th>worst</th></tr></thead>\n<tbody>\n");
  for (const GridRule& rule : page.grid.rules) {
    const GridPlace place{&rule, concentration, faulty};
    absl::StrAppend(&out, "<tr><th>", EscapeXml(rule.name), "</th>");
    for (const std::string& attack : page.grid.attacks) {
      absl::StrAppend(&out, ScoreCell(page, page.results.Score(place, attack)));
    }
    const std::optional<GridResults::Worst> worst = page.results.WorstOf(place);
    absl::StrAppend(&out, ScoreCell(page, worst ? std::optional(worst->score) : std::nullopt), "</tr>\n");
  }
  return out + "</tbody>\n</table>\n";
}

// The part of the page for one concentration and f; the first is unfolded.
std::string Section(const Page& page, double concentration, std::uint32_t faulty, bool open, const std::string& body) {
  return absl::StrCat("<details", open ? " open=\"open\"" : "", "><summary>alpha ", ConcentrationText(concentration),
                      ", ", AttackersText(page, faulty), "</summary>\n", body, "</details>\n");
}

std::string AttackTables(const Page& page) {
  std::string out;
  for (auto faulty = page.grid.faulty.rbegin(); faulty != page.grid.faulty.rend() && *faulty > 0; ++faulty) {
    for (const double concentration : page.grid.concentrations) {
      const std::string table =
          absl::StrCat("<div class=\"scroll\">", AttackTable(page, concentration, *faulty), "</div>\n");
      absl::StrAppend(&out, Section(page, concentration, *faulty, out.empty(), table));
    }
  }
  return out;
}

std::string Legend(const Page& page) {
  std::string out = "<p class=\"legend\"><span><i style=\"background:var(--series-0)\"></i>no attack</span>";
  for (std::size_t a = 0; a < page.grid.attacks.size(); ++a) {
    absl::StrAppend(&out, absl::StrFormat("<span><i style=\"background:var(--series-%d)\"></i>%s</span>",
                                          (a + 1) % kReportColours, EscapeXml(page.grid.attacks[a])));
  }
  return out + "</p>\n";
}

Series SeriesOf(const Page& page, const GridPlace& place, const std::string& attack, std::size_t colour) {
  Series series{attack, colour % kReportColours, {}, true};
  const std::vector<double> curve = page.results.Curve(place, attack);
  for (std::size_t round = 0; round < curve.size(); ++round) {
    series.points.emplace_back(static_cast<double>(round), curve[round]);
  }
  return series;
}

std::string Curves(const Page& page, double concentration, std::uint32_t faulty) {
  std::string out = "<div class=\"charts\">\n";
  for (const GridRule& rule : page.grid.rules) {
    Chart chart{rule.name, "round", {}, static_cast<double>(page.results.experiment().rounds), true};
    chart.y_limit = page.base + (page.base - page.best) / 2;
    chart.series.push_back(SeriesOf(page, {&rule, concentration, 0}, kNoAttack, 0));
    for (std::size_t a = 0; a < page.grid.attacks.size(); ++a) {
      chart.series.push_back(SeriesOf(page, {&rule, concentration, faulty}, page.grid.attacks[a], a + 1));
    }
    absl::StrAppend(&out, "<figure>", ChartSvg(chart), "</figure>\n");
  }
  return out + "</div>\n";
}

std::string AllCurves(const Page& page) {
  std::string out;
  const std::uint32_t faulty = page.grid.faulty.back();
  for (const double concentration : page.grid.concentrations) {
    absl::StrAppend(&out, Section(page, concentration, faulty, out.empty(), Curves(page, concentration, faulty)));
  }
  return out;
}

std::string RuleTable(const Page& page) {
  std::string out =
      "<table>\n<thead><tr><th>rule</th><th>guards, rule, combine rule, publish form</th></tr></thead>\n<tbody>\n";
  for (const GridRule& rule : page.grid.rules) {
    absl::StrAppend(&out, "<tr><th>", EscapeXml(rule.name), "</th><td>", EscapeXml(DefinitionOf(rule)), "</td></tr>\n");
  }
  return out + "</tbody>\n</table>\n";
}

std::string ConfigList(const Page& page) {
  const Experiment& e = page.results.experiment();
  const auto names = [](std::string* out, const TextSource& domain) {
    absl::StrAppend(out, domain.name, domain.unseen ? " (new to the base)" : "");
  };
  return absl::StrFormat(
      "<dl><dt>model</dt><dd>bytes, width %d, %d layers, %d heads, context %d</dd>\n"
      "<dt>base</dt><dd>%d steps of %d windows, learning rate %g</dd>\n"
      "<dt>participants</dt><dd>%d, LoRA ranks %s in turn</dd>\n<dt>domains</dt><dd>%s</dd>\n"
      "<dt>each round</dt><dd>%d steps of %d windows, learning rate %g</dd>\n<dt>rounds</dt><dd>%d</dd>\n"
      "<dt>seeds</dt><dd>%s</dd></dl>\n",
      e.width, e.layers, e.heads, e.context, e.pretraining.steps, e.pretraining.batch, e.pretraining.learning_rate,
      page.grid.participants, absl::StrJoin(page.grid.ranks, ", "),
      EscapeXml(absl::StrJoin(page.grid.domains, ", ", names)), e.training.steps, e.training.batch,
      e.training.learning_rate, e.rounds, absl::StrJoin(page.grid.seeds, ", "));
}

std::string FailureList(const Page& page) {
  const std::vector<GridResults::Failure> failures = page.results.Failures();
  if (failures.empty()) return "";
  std::string out =
      absl::StrCat("<h2>Failed cells</h2>\n<p>They are tried again when the grid is run again.</p>\n<dl>");
  for (const GridResults::Failure& failure : failures) {
    absl::StrAppend(&out, "<dt>", EscapeXml(TitleOf(failure.cell)), "</dt><dd>", EscapeXml(failure.reason), "</dd>\n");
  }
  return out + "</dl>\n";
}

}  // namespace

int HeatLevelOf(double score, double best, double base) {
  if (!(score < kGuessing)) return kHeatLevels - 1;
  if (score > base + (base - best) / 2) return kHeatLevels - 2;
  if (score > base) return kLearned;
  const double part = base > best ? (score - best) / (base - best) : 0;
  return std::clamp(static_cast<int>(kLearned * part), 0, kLearned - 1);
}

std::string GridReportHtml(const GridResults& results) {
  const Page page{results, results.grid(), results.base().value_or(0), results.best().value_or(0)};
  const std::string name = EscapeXml(results.experiment().name);
  const bool attacked = page.grid.faulty.back() > 0;
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Cairn: ",
      name, "</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n<h1>Cairn: ", name, "</h1>\n<p>",
      EscapeXml(GridVerdict(results)),
      "</p>\n<h2>The worst attack's final loss</h2>\n<p>Held-out loss after the last round in nats per byte, mean "
      "over ",
      page.grid.seeds.size(),
      " seeds; lower is better. A cell has the worst of all attacks; rows are how alike the participants' text is: "
      "alpha of the Dirichlet distribution over domains, inf for equal parts. * some of its cells failed.</p>\n",
      Scale(page), "<div class=\"charts\">\n", HeatMaps(page), "</div>\n",
      attacked ? absl::StrCat("<h2>Rules and attacks</h2>\n<p>Final loss; below the base, ", ScoreText(page.base),
                              ", the federation has learned something.</p>\n", AttackTables(page),
                              "<h2>Held-out loss by round</h2>\n<p>What is above the top of a figure is drawn there."
                              "</p>\n",
                              Legend(page), AllCurves(page))
               : "",
      FailureList(page), "<h2>Rules</h2>\n<div class=\"scroll\">", RuleTable(page), "</div>\n<h2>Configuration</h2>\n",
      ConfigList(page), "</body>\n</html>\n");
}

}  // namespace cairn
