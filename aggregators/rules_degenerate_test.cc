// What every rule promises of updates that no trainer should send: a result, finite, and the same every time.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "aggregators/column_testing.h"

namespace cairn {
namespace {

using kernels::reference::Column;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using testing::Sent;
using testing::Weigh;

constexpr std::size_t kLength = 12;

Column Axis(std::size_t i, double size = 1) {
  Column x(kLength);
  x[i] = size;
  return x;
}

std::vector<Column> Of(std::size_t count, const std::function<Column(std::size_t)>& column) {
  std::vector<Column> columns;
  for (std::size_t i = 0; i < count; ++i) columns.push_back(column(i));
  return columns;
}

std::map<std::string, std::vector<Column>> Inputs() {
  const std::vector<Column> random = RandomColumns(1, 6, kLength);
  const auto denormal = [&](std::size_t i) { return Times(1e-160, random[i]); };
  return {
      {"identical", Of(6, [&](std::size_t) { return random[0]; })},
      {"zero", Of(6, [](std::size_t) { return Column(kLength); })},
      {"all but one zero", Of(6, [&](std::size_t i) { return i == 3 ? random[0] : Column(kLength); })},
      {"collinear", Of(6, [&](std::size_t i) { return Times(static_cast<double>(i) - 2.3, random[0]); })},
      {"opposite", Of(6, [&](std::size_t i) { return Times(i % 2 == 0 ? 1 : -1, random[0]); })},
      {"orthogonal", Of(6, [](std::size_t i) { return Axis(i); })},
      {"orthogonal and of 1e30", Of(6, [](std::size_t i) { return Axis(i, i == 2 ? 1e30 : 1); })},
      {"of 1e30", Of(6, [&](std::size_t i) { return Times(1e30, random[i]); })},
      {"of 1e-30", Of(6, [&](std::size_t i) { return Times(1e-30, random[i]); })},
      {"of 1e30 and 1e-30", Of(6, [&](std::size_t i) { return Times(i < 3 ? 1e30 : 1e-30, random[i]); })},
      {"of 1e150", Of(6, [&](std::size_t i) { return Times(1e150, random[i]); })},
      {"of 1e150 and denormal", Of(6, [&](std::size_t i) { return i == 0 ? Times(1e150, random[i]) : denormal(i); })},
      {"with denormal products", Of(6, denormal)},
      {"one float32 rounding apart", Of(6,
                                        [&](std::size_t i) {
                                          Column x = random[0];
                                          x[i] *= 1 + 6e-8;
                                          return x;
                                        })},
      {"one float64 rounding apart", Of(6,
                                        [&](std::size_t i) {
                                          Column x = random[0];
                                          x[i] *= 1 + std::numeric_limits<double>::epsilon();
                                          return x;
                                        })},
      {"one", {random[0]}},
      {"one zero", {Column(kLength)}},
      {"two", {random[0], random[1]}},
      {"two opposite", {random[0], Times(-1, random[0])}},
  };
}

// With f = 0 where only few clients are there.
std::vector<std::string> RulesFor(std::size_t clients) {
  const std::string f = clients > 2 ? "f=2" : "f=0";
  return {"geometric_median",
          "geometric_median:nu=1e-300",
          "centered_clipping",
          "centered_clipping:tau=1e-9,iterations=9",
          "caf:" + f,
          "dnc:" + f,
          "fltrust:root=server",
          "foolsgold",
          "flag",
          "flag:m=1",
          "flag:variant=reference",
          "flag:variant=reference,lambda=8,iterations=50",
          "flag:lambda=1000,iterations=50,epsilon=1e-30"};
}

void ExpectDefined(const std::string& rule, const Sent& sent, const std::string& what) {
  const auto output = Weigh(rule, sent);
  ASSERT_TRUE(output.ok()) << rule << ", " << what << ": " << output.status();
  ASSERT_EQ(output->weights.size(), sent.columns(**MakeRule(rule)).size());
  for (const double weight : output->weights) EXPECT_TRUE(std::isfinite(weight)) << rule << ", " << what;
  EXPECT_EQ(output->weights, Weigh(rule, sent)->weights) << rule << ", " << what << ": not the same twice";
}

TEST(Rules, AreDefinedForDegenerateUpdates) {
  for (const auto& [what, updates] : Inputs()) {
    for (const std::string& rule : RulesFor(updates.size())) {
      for (const Column& other : {RandomColumns(2, 1, kLength)[0], Column(kLength), updates[0]}) {
        ExpectDefined(rule, {.updates = updates, .named = other, .last = other}, what);
      }
      ExpectDefined(rule, {.updates = updates, .history = updates, .named = updates[0]}, what);
    }
  }
}

}  // namespace
}  // namespace cairn
