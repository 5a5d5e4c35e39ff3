#include "simulation/grid/grid_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "simulation/grid/grid_example_testing.h"
#include "simulation/grid/grid_figures.h"
#include "simulation/xml_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(GridReport, IsWellFormedAndSelfContained) {
  const std::string html = GridReportHtml(GridResults(ExampleGrid(), ExampleOutcomes()));
  EXPECT_EQ(XmlFault(html.substr(html.find("<html"))), "");
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("a &lt;test&gt; &amp; more"));
}

TEST(GridReport, HasHeatMapsTablesAndCurves) {
  const std::string html = GridReportHtml(GridResults(ExampleGrid(), ExampleOutcomes()));
  EXPECT_THAT(html, HasSubstr("<title>sign_flip:c=5: broken</title>"));
  EXPECT_THAT(html, HasSubstr("<title>needs more clients</title>"));
  EXPECT_THAT(html, HasSubstr("<tr><th>mean</th><td class=\"better\">3.100</td><td class=\"worse\">broken</td>"));
  EXPECT_THAT(html, HasSubstr("<tr><th>krum</th><td class=\"better\">2.900*</td><td class=\"better\">3.300</td>"
                              "<td class=\"better\">3.300*</td>"));
  EXPECT_THAT(html, HasSubstr("alpha 0.1, f = 1 of 4"));
  EXPECT_THAT(html, HasSubstr("<polyline"));
  EXPECT_THAT(html, HasSubstr("killed"));
  EXPECT_THAT(html, HasSubstr("c (new to the base)"));
  EXPECT_THAT(html, Not(HasSubstr("inf\" "))) << "an infinite loss has a place in a figure";
}

TEST(GridReport, OfNothingIsStillAPage) {
  const std::string html = GridReportHtml(GridResults(ExampleGrid(), {}));
  EXPECT_EQ(XmlFault(html.substr(html.find("<html"))), "");
}

TEST(GridReport, WithoutAttacksHasHeatMapsOnly) {
  Experiment experiment = ExampleGrid();
  experiment.grid->faulty = {0};
  experiment.grid->attacks.clear();
  const std::string html = GridReportHtml(GridResults(experiment, ExampleOutcomes()));
  EXPECT_EQ(XmlFault(html.substr(html.find("<html"))), "");
  EXPECT_THAT(html, Not(HasSubstr("Rules and attacks")));
}

TEST(GridReport, HasFiguresWhenNothingBeatsTheBase) {
  const Experiment experiment = ExampleGrid();
  for (const double loss : {4.5, static_cast<double>(INFINITY)}) {
    std::map<std::string, CellOutcome> outcomes = ExampleOutcomes();
    for (auto& [key, outcome] : outcomes) {
      if (outcome.kind == CellOutcome::Kind::kDone) outcome.result.losses = {loss, loss};
    }
    const std::string figures = CurveFigures(GridResults(experiment, outcomes), 0.1, 1);
    EXPECT_THAT(figures, Not(HasSubstr("nan"))) << loss;
    EXPECT_THAT(figures, Not(HasSubstr("inf,"))) << loss;
    EXPECT_THAT(figures, Not(HasSubstr(">inf<"))) << loss;
  }
  // The base, 4.0, is at the bottom and 4.5 at the top, not both at one limit.
  std::map<std::string, CellOutcome> outcomes = ExampleOutcomes();
  for (auto& [key, outcome] : outcomes) outcome.result.losses = {4.5, 4.5};
  EXPECT_THAT(CurveFigures(GridResults(experiment, outcomes), 0.1, 1), HasSubstr(">4.5"));
}

TEST(HeatLevel, FollowsTheBaseAndTheBest) {
  EXPECT_EQ(HeatLevelOf(2.5, 2.5, 4), 0);
  EXPECT_EQ(HeatLevelOf(3.3, 2.5, 4), 3);
  EXPECT_EQ(HeatLevelOf(3.99, 2.5, 4), 5);
  EXPECT_EQ(HeatLevelOf(4.01, 2.5, 4), 6);
  EXPECT_EQ(HeatLevelOf(5, 2.5, 4), 7);
  EXPECT_EQ(HeatLevelOf(5.6, 2.5, 4), 8);
  EXPECT_EQ(HeatLevelOf(INFINITY, 2.5, 4), 8);
  EXPECT_EQ(HeatLevelOf(NAN, 2.5, 4), 8);
  EXPECT_EQ(HeatLevelOf(4, 4, 4), 0);
  EXPECT_EQ(HeatLevelOf(4, 4.5, 4), 0) << "the base, when nothing is better";
  EXPECT_EQ(HeatLevelOf(4.5, 4.5, 4), 7);
}

}  // namespace
}  // namespace cairn
