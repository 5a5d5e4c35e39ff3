#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

const std::vector<ModuleSpec> kModules = {{"layer.k", 3, 4}, {"layer.q", 4, 4}};

std::unique_ptr<Aggregator> Mean() { return *MakeAggregator("mean"); }

absl::Status Pair(const InMemoryUpdate& first, const InMemoryUpdate& second) {
  auto rule = Mean();
  EXPECT_TRUE(rule->Accumulate({"alice", 1, &first.adapter()}).ok());
  return rule->Accumulate({"bob", 1, &second.adapter()});
}

TEST(Mean, AveragesFactorsByWeightAndFoldsTheScale) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 3), y = MakeUpdate(2, kModules, 2, 3);
  auto rule = Mean();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"y", 3, &y.adapter()}).ok());
  const auto result = testing::ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const auto in_x = testing::ReferenceOf(x.adapter().modules[m], 0),
               in_y = testing::ReferenceOf(y.adapter().modules[m], 0);
    const testing::ReportedModule& out = result->modules[m];
    for (std::size_t i = 0; i < out.a.size(); ++i) {
      EXPECT_EQ(out.a[i], static_cast<float>(0.25 * in_x.a.values[i] + 0.75 * in_y.a.values[i]));
    }
    for (std::size_t i = 0; i < out.b.size(); ++i) {
      EXPECT_EQ(out.b[i], static_cast<float>(0.25 * 1.5 * in_x.b.values[i] + 0.75 * 1.5 * in_y.b.values[i]));
    }
  }
}

TEST(Mean, RefusesOtherRanksAndNamesBoth) {
  const absl::Status status = Pair(MakeUpdate(1, kModules, 8, 8), MakeUpdate(2, kModules, 4, 4));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("module layer.k"), HasSubstr("client bob has rank 4"),
                                                   HasSubstr("client alice has rank 8"), HasSubstr("stack takes any")));
}

TEST(Mean, RefusesOtherScalesAndNamesBoth) {
  const absl::Status status = Pair(MakeUpdate(1, kModules, 2, 4), MakeUpdate(2, kModules, 2, 1));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("client bob has scale 0.5"), HasSubstr("client alice has scale 2")));
}

TEST(Mean, IsNotTheWeightedSumOfTheUpdates) {
  // The cross terms B_i A_j are what stacking avoids. Should this ever hold, docs/rules.md is wrong.
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 2), y = MakeUpdate(2, kModules, 2, 2);
  auto rule = Mean();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"y", 1, &y.adapter()}).ok());
  const auto result = testing::ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  const auto out = testing::ReferenceOf(result->modules[0]);
  const auto exact = kernels::reference::DenseSum(
      {testing::ReferenceOf(x.adapter().modules[0], 0.5), testing::ReferenceOf(y.adapter().modules[0], 0.5)});
  EXPECT_GT(kernels::reference::MaxDifference(kernels::reference::Product(out.b, out.a), exact), 0.01);
}

TEST(Mean, ResultIsTrainedOn) { EXPECT_EQ(Mean()->round_start(), RoundStart::kWarm); }

}  // namespace
}  // namespace cairn
