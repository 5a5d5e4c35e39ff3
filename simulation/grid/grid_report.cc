#include "simulation/grid/grid_report.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "simulation/chart.h"
#include "simulation/grid/grid_figures.h"
#include "simulation/report_style.h"

namespace cairn {
namespace {

std::string AttackersText(const GridResults& results, std::uint32_t faulty) {
  return absl::StrCat("f = ", faulty, " of ", results.grid().participants);
}

std::string ScoreCell(const GridResults& results, const std::optional<double>& score, bool whole) {
  if (!score) return "<td>-</td>";
  return absl::StrFormat("<td class=\"%s\">%s</td>", *score < BaseOf(results) ? "better" : "worse",
                         ScoreText(*score, whole));
}

// Rules by attacks at one concentration and f.
std::string AttackTable(const GridResults& results, double concentration, std::uint32_t faulty) {
  std::string out = "<table>\n<thead><tr><th>rule</th>";
  for (const std::string& attack : results.grid().attacks) absl::StrAppend(&out, "<th>", EscapeXml(attack), "</th>");
  absl::StrAppend(&out, "<th>worst</th></tr></thead>\n<tbody>\n");
  for (const GridRule& rule : results.grid().rules) {
    const GridPlace place{&rule, concentration, faulty};
    absl::StrAppend(&out, "<tr><th>", EscapeXml(rule.name), "</th>");
    for (const std::string& attack : results.grid().attacks) {
      absl::StrAppend(&out, ScoreCell(results, results.Score(place, attack), results.IsWhole(place, attack)));
    }
    const std::optional<GridResults::Worst> worst = results.WorstOf(place);
    absl::StrAppend(&out,
                    worst ? ScoreCell(results, worst->score, worst->of_all) : ScoreCell(results, std::nullopt, true),
                    "</tr>\n");
  }
  return out + "</tbody>\n</table>\n";
}

// The part of the page for one concentration and f; the first is unfolded.
std::string Section(const GridResults& results, double concentration, std::uint32_t faulty, bool open,
                    const std::string& body) {
  return absl::StrCat("<details", open ? " open=\"open\"" : "", "><summary>alpha ", ConcentrationText(concentration),
                      ", ", AttackersText(results, faulty), "</summary>\n", body, "</details>\n");
}

std::string AttackTables(const GridResults& results) {
  std::string out;
  for (auto faulty = results.grid().faulty.rbegin(); faulty != results.grid().faulty.rend() && *faulty > 0; ++faulty) {
    for (const double concentration : results.grid().concentrations) {
      const std::string table =
          absl::StrCat("<div class=\"scroll\">", AttackTable(results, concentration, *faulty), "</div>\n");
      absl::StrAppend(&out, Section(results, concentration, *faulty, out.empty(), table));
    }
  }
  return out;
}

std::string AllCurves(const GridResults& results) {
  std::string out;
  const std::uint32_t faulty = results.grid().faulty.back();
  for (const double concentration : results.grid().concentrations) {
    absl::StrAppend(&out,
                    Section(results, concentration, faulty, out.empty(), CurveFigures(results, concentration, faulty)));
  }
  return out;
}

std::string RuleTable(const GridResults& results) {
  std::string out =
      "<table>\n<thead><tr><th>rule</th><th>guards, rule, combine rule, publish form</th></tr></thead>\n<tbody>\n";
  for (const GridRule& rule : results.grid().rules) {
    absl::StrAppend(&out, "<tr><th>", EscapeXml(rule.name), "</th><td>", EscapeXml(DefinitionOf(rule)), "</td></tr>\n");
  }
  return out + "</tbody>\n</table>\n";
}

std::string ConfigList(const GridResults& results) {
  const Experiment& e = results.experiment();
  const auto names = [](std::string* out, const TextSource& domain) {
    absl::StrAppend(out, domain.name, domain.unseen ? " (new to the base)" : "");
  };
  return absl::StrFormat(
      "<dl><dt>model</dt><dd>bytes, width %d, %d layers, %d heads, context %d</dd>\n"
      "<dt>base</dt><dd>%d steps of %d windows, learning rate %g</dd>\n"
      "<dt>participants</dt><dd>%d, LoRA ranks %s in turn</dd>\n<dt>domains</dt><dd>%s</dd>\n"
      "<dt>each round</dt><dd>%d steps of %d windows, learning rate %g</dd>\n<dt>rounds</dt><dd>%d</dd></dl>\n",
      e.width, e.layers, e.heads, e.context, e.pretraining.steps, e.pretraining.batch, e.pretraining.learning_rate,
      results.grid().participants, absl::StrJoin(results.grid().ranks, ", "),
      EscapeXml(absl::StrJoin(results.grid().domains, ", ", names)), e.training.steps, e.training.batch,
      e.training.learning_rate, e.rounds);
}

std::string FailureList(const GridResults& results) {
  const std::vector<GridResults::Failure> failures = results.Failures();
  if (failures.empty()) return "";
  std::string out =
      absl::StrCat("<h2>Failed cells</h2>\n<p>They are tried again when the grid is run again.</p>\n<dl>");
  for (const GridResults::Failure& failure : failures) {
    absl::StrAppend(&out, "<dt>", EscapeXml(TitleOf(failure.cell)), "</dt><dd>", EscapeXml(failure.reason), "</dd>\n");
  }
  return out + "</dl>\n";
}

std::string AttackSections(const GridResults& results) {
  if (results.grid().faulty.back() == 0) return "";
  return absl::StrCat("<h2>Rules and attacks</h2>\n<p>Final loss; below the base, ", ScoreText(BaseOf(results)),
                      ", the federation has learned something.</p>\n", AttackTables(results),
                      "<h2>Held-out loss by round</h2>\n<p>What is above the top of a figure is drawn there.</p>\n",
                      CurveLegend(results), AllCurves(results));
}

}  // namespace

std::string GridReportHtml(const GridResults& results) {
  const std::string name = EscapeXml(results.experiment().name);
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Cairn: ",
      name, "</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n<h1>Cairn: ", name, "</h1>\n<p>",
      EscapeXml(GridVerdict(results)),
      "</p>\n<h2>The worst attack's final loss</h2>\n<p>Held-out loss after the last round in nats per byte, mean "
      "over seeds ",
      absl::StrJoin(results.grid().seeds, ", "),
      "; lower is better. A cell has the worst of all attacks; rows are how alike the participants' text is: "
      "alpha of the Dirichlet distribution over domains, inf for equal parts. * some of its cells are not done.</p>\n",
      HeatMapFigures(results), AttackSections(results), FailureList(results), "<h2>Rules</h2>\n<div class=\"scroll\">",
      RuleTable(results), "</div>\n<h2>Configuration</h2>\n", ConfigList(results), "</body>\n</html>\n");
}

}  // namespace cairn
