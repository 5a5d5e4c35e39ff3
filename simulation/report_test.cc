#include "simulation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "simulation/chart.h"
#include "simulation/xml_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TrainerState State(const std::string& name, std::vector<double> held_out) {
  TrainerState state{.name = name};
  for (std::size_t v = 0; v < held_out.size(); ++v) state.held_out[v] = held_out[v];
  state.losses = {{1, 5, 2.0}, {1, 10, 1.9}};
  return state;
}

Results Example() {
  Results results;
  results.experiment.name = "a <test> & more";
  results.experiment.rounds = 2;
  results.experiment.clients = {{"gpl", 16, 32, {}}, {"bsd", 2, 4, {}}};
  results.data = {{100, 200, 50, 7}, {100, 200, 50, 0}};
  results.methods = {{"alone", 1.5, {State("gpl", {2, 1.9, 1.8}), State("bsd", {2, 2.1, 2.2})}},
                     {"stack", 2.5, {State("gpl", {2, 1.8, 1.7}), State("bsd", {2, 1.9, 1.9})}}};
  return results;
}

TEST(Report, IsWellFormedAndSelfContained) {
  const std::string html = ReportHtml(Example());
  EXPECT_EQ(XmlFault(html), "");
  EXPECT_THAT(html, HasSubstr("a &lt;test&gt; &amp; more"));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(html, HasSubstr("<polyline"));
}

TEST(Report, TheCheckItselfSeesFaults) {
  EXPECT_NE(XmlFault("<a><b></a>"), "");
  EXPECT_NE(XmlFault("<a>"), "");
  EXPECT_NE(XmlFault("<a>x & y</a>"), "");
}

TEST(Report, MarksWhatIsWorseThanTheBase) {
  EXPECT_THAT(ReportHtml(Example()), HasSubstr("<td class=\"worse\">2.2000 <small>+10.0 %</small></td>"));
}

TEST(Results, TableIsAlignedAndMarksWhatIsBelowTheBase) {
  EXPECT_EQ(ResultsTable(Example()),
            "client         rank       base        alone         stack \n"
            "gpl              16     2.0000       1.8000*       1.7000*\n"
            "bsd               2     2.0000       2.2000        1.9000*\n"
            "mean                    2.0000       2.0000        1.8000*\n");
}

Results Attacked() {
  Results results = Example();
  results.experiment.clients.push_back({"evil", 2, 4, {}, "ipm:epsilon=<2>"});
  results.data.push_back({});
  results.methods[0].clients.push_back(State("evil", {2, 1, 1}));
  results.methods[1].clients.push_back(State("evil", {2, 9, 9}));
  return results;
}

TEST(Results, AttackersAreMarkedAndNotInTheMean) {
  EXPECT_EQ(ResultsTable(Attacked()),
            "client         rank       base        alone         stack \n"
            "gpl              16     2.0000       1.8000*       1.7000*\n"
            "bsd               2     2.0000       2.2000        1.9000*\n"
            "evil!             2     2.0000       1.0000*       9.0000 \n"
            "honest mean             2.0000       2.0000        1.8000*\n");
  EXPECT_EQ(Verdict(Attacked()), "FLoRA stacking: below the base for 2 of 2 honest clients, below alone for 2.");
}

TEST(Report, AttackersAreMarkedAndNotInTheMean) {
  const std::string html = ReportHtml(Attacked());
  EXPECT_EQ(XmlFault(html), "");
  EXPECT_THAT(html, HasSubstr("<th>evil <small>attacks: ipm:epsilon=&lt;2&gt;</small></th>"));
  EXPECT_THAT(html, HasSubstr("<th>honest mean</th><td></td><td>2.0000</td>"));
}

TEST(Report, SaysWhichRuleAndGuards) {
  Results results = Example();
  EXPECT_THAT(ReportHtml(results), HasSubstr("<dt>rule</dt><dd>examples</dd>"));
  results.experiment.guards = {"nnm", "arc"};
  EXPECT_THAT(ReportHtml(results), HasSubstr("<dt>rule</dt><dd>nnm, arc, then examples</dd>"));
  results.experiment.rule_modules = {"q_proj", "v_proj"};
  results.experiment.relative_to_published = true;
  EXPECT_THAT(ReportHtml(results),
              HasSubstr("then examples; on q_proj, v_proj; measured from what was published</dd>"));
}

TEST(Results, VerdictCounts) {
  EXPECT_EQ(Verdict(Example()), "FLoRA stacking: below the base for 2 of 2 clients, below alone for 2.");
}

TEST(Results, WithoutStackingTheVerdictIsAboutTheLastFederatedMethod) {
  Results results = Example();
  results.methods[1].method = "fair:lambda=0.01";
  EXPECT_EQ(Verdict(results), "LoRA-FAIR:lambda=0.01: below the base for 2 of 2 clients, below alone for 2.");
  EXPECT_EQ(ResultsTable(results).substr(0, 63), "client         rank       base        alone  fair:lambda=0.01 \n");
}

TEST(Report, EveryMethodHasAColourOfTheStyleSheet) {
  Results results = Example();
  while (results.methods.size() < 12) results.methods.push_back(results.methods[0]);
  const std::string html = ReportHtml(results);
  EXPECT_THAT(html, HasSubstr("--series-7:"));
  EXPECT_THAT(html, Not(HasSubstr("--series-8")));
}

TEST(Results, JsonHasEveryVersion) {
  const auto json = nlohmann::json::parse(ResultsJson(Example()));
  EXPECT_EQ(json["methods"][1]["clients"][1]["held_out"][2]["loss"], 1.9);
  EXPECT_EQ(json["clients"][0]["dropped_bytes"], 7);
}

// Without a limit, too: a loss that is not finite is at the top, and the axis fits the others.
TEST(Chart, WhatIsNotFiniteIsDrawnAtTheTop) {
  for (const double broken : {static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    for (const bool all : {false, true}) {
      const Series series{"loss", 0, {{0, all ? broken : 1.0}, {1, broken}}};
      const std::string svg = ChartSvg({"broken", "x", {series}});
      EXPECT_THAT(svg, Not(HasSubstr("nan"))) << all;
      EXPECT_THAT(svg, Not(HasSubstr("inf"))) << all;
    }
  }
}

TEST(Chart, OfNothingIsStillAChart) { EXPECT_EQ(XmlFault(ChartSvg({"empty", "x", {}})), ""); }

}  // namespace
}  // namespace cairn
