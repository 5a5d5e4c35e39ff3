#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using testing::MakeUpdate;

TEST(Svd, CombinesAsStackDoes) {
  const std::vector<ModuleSpec> modules = {{"m", 9, 5}};
  const auto x = MakeUpdate(1, modules, 3, 2), y = MakeUpdate(2, modules, 2, 2);
  std::vector<testing::ReportedModule> results;
  for (const char* name : {"stack", "svd"}) {
    auto rule = *MakeAggregator(name);
    ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
    ASSERT_TRUE(rule->Accumulate({"y", 2, &y.adapter()}).ok());
    results.push_back(testing::ReportAll(std::move(*rule))->modules[0]);
  }
  EXPECT_EQ(results[0].a, results[1].a);
  EXPECT_EQ(results[0].b, results[1].b);
}

TEST(Svd, IsPublishedAtTheWidestRankAndTrainedOn) {
  const auto rule = *MakeAggregator("svd");
  EXPECT_EQ(rule->default_publish().kind, PublishForm::Kind::kWidest);
  EXPECT_EQ(rule->round_start(), RoundStart::kWarm);
}

}  // namespace
}  // namespace cairn
