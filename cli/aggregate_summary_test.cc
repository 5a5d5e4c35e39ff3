#include "cli/aggregate_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace cairn {
namespace {

CombineReport Report() {
  CombineReport report;
  report.clients = {{"client-1", 1200, 0.75, true, ""}, {"c2", 400, 0.25, true, ""}};
  report.modules = {{"x.q", 24, 24, 0.0}, {"x.v", 12, 12, 0.0}};
  report.relative_error = 0;
  report.combine = "stack";
  report.rule = "examples";
  report.publish = "stack";
  return report;
}

TEST(AggregateSummary, OfAnExactResult) {
  EXPECT_EQ(SummaryOf(Report()),
            "client    examples  weight\n"
            "client-1      1200    0.75\n"
            "c2             400    0.25\n"
            "\n"
            "combine stack, rule examples, publish stack\n"
            "2 modules, rank 12 to 24 of all clients together, 12 to 24 published\n"
            "the result is the exact weighted sum\n");
}

// What scales a result down or counts one of thousands of clients is a weight, too.
TEST(AggregateSummary, ShowsTheDigitsOfSmallWeights) {
  CombineReport report = Report();
  report.clients[0].weight = 1.0 / 81920;
  EXPECT_THAT(SummaryOf(report), ::testing::HasSubstr("client-1      1200  1.221e-05\n"));
}

TEST(AggregateSummary, SaysThatRoundingComesOnTop) {
  CombineReport report = Report();
  report.dtype = DType::kBF16;
  report.before_rounding = true;
  EXPECT_THAT(SummaryOf(report), ::testing::HasSubstr("is the exact weighted sum, before rounding to BF16\n"));
  report.relative_error = 0.25;
  EXPECT_THAT(SummaryOf(report), ::testing::HasSubstr("by 0.25 of its norm, before rounding to BF16\n"));
}

TEST(AggregateSummary, ShowsTheWorstModulesOnly) {
  CombineReport report = Report();
  report.modules.clear();
  for (int i = 0; i < 300; ++i) report.modules.push_back({"m" + std::to_string(i), 24, 8, i == 7 ? 0.5 : 0.125});
  report.relative_error = 0.2;
  const std::string summary = SummaryOf(report);
  EXPECT_THAT(summary, ::testing::HasSubstr("differs from the exact weighted sum by 0.2 of its norm\n"
                                            "\n"
                                            "worst modules  rank in  rank out  error\n"
                                            "m7                  24         8    0.5\n"
                                            "m0                  24         8  0.125\n"));
  EXPECT_LT(std::count(summary.begin(), summary.end(), '\n'), 20);
}

TEST(AggregateSummary, SaysWhyAClientDoesNotCount) {
  CombineReport report = Report();
  report.clients[1] = {"c2", 400, 0, false, "too far from the others"};
  EXPECT_THAT(SummaryOf(report), ::testing::HasSubstr("client    examples  weight  reason\n"
                                                      "client-1      1200    0.75\n"
                                                      "c2             400       0  too far from the others\n"));
}

TEST(AggregateSummary, HasALineForEveryRecipient) {
  CombineReport report = Report();
  report.recipients = {{"a", 8, 0.25}, {"b", 4, std::nullopt}};
  EXPECT_THAT(SummaryOf(report), ::testing::HasSubstr("recipient  rank         error\n"
                                                      "a             8          0.25\n"
                                                      "b             4  not measured\n"));
}

TEST(AggregateSummary, WritesSizesForPeople) {
  EXPECT_EQ(BytesText(512), "0.5 KiB");
  EXPECT_EQ(BytesText(3 << 20), "3.0 MiB");
  EXPECT_EQ(BytesText(5ULL << 29), "2.50 GiB");
}

}  // namespace
}  // namespace cairn
