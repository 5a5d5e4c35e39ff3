#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

std::unique_ptr<Aggregator> ZeroPad() { return *MakeAggregator("zero_pad"); }

InMemoryUpdate Constant(std::int64_t rank, double alpha, float a_value, float b_value) {
  return MakeUpdate(0, {{"m", 2, 2}}, rank, alpha, DType::kF32,
                    [&](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
                      a.assign(a.size(), a_value);
                      b.assign(b.size(), b_value);
                    });
}

TEST(ZeroPad, AbsentRankUnitsCountAsZeros) {
  const InMemoryUpdate wide = Constant(2, 2, 4, 8);     // Scale 1.
  const InMemoryUpdate narrow = Constant(1, 3, 12, 4);  // Scale 3: B counts as 12.
  auto rule = ZeroPad();
  ASSERT_TRUE(rule->Accumulate({"narrow", 1, &narrow.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"wide", 3, &wide.adapter()}).ok());
  const auto result = testing::ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  const testing::ReportedModule& module = result->modules[0];
  EXPECT_EQ(module.rank, 2);
  EXPECT_THAT(module.a, ElementsAre(6, 6, 3, 3));  // Rows: 1/4 * 12 + 3/4 * 4, then 3/4 * 4 alone.
  EXPECT_THAT(module.b, ElementsAre(9, 6, 9, 6));  // Columns: 1/4 * 12 + 3/4 * 8, then 3/4 * 8 alone.
}

TEST(ZeroPad, EqualsMeanWhenRanksAndScalesAreEqual) {
  const std::vector<ModuleSpec> modules = {{"m", 9, 5}};
  const InMemoryUpdate x = MakeUpdate(1, modules, 3, 2), y = MakeUpdate(2, modules, 3, 2);
  std::vector<std::vector<float>> b;
  for (const char* name : {"mean", "zero_pad"}) {
    auto rule = *MakeAggregator(name);
    ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
    ASSERT_TRUE(rule->Accumulate({"y", 2, &y.adapter()}).ok());
    b.push_back(testing::ReportAll(std::move(*rule))->modules[0].b);
  }
  EXPECT_EQ(b[0], b[1]);
}

TEST(ZeroPad, ResultIsTrainedOn) { EXPECT_EQ(ZeroPad()->round_start(), RoundStart::kWarm); }

}  // namespace
}  // namespace cairn
