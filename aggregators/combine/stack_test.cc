#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using testing::InMemoryUpdate;
using testing::MakeUpdate;
using testing::ReportAll;

const std::vector<ModuleSpec> kOne = {{"m", 2, 3}};

std::unique_ptr<Aggregator> Stack() { return *MakeAggregator("stack"); }

// Rank 1: A = [a, a], B = [b, b, b].
InMemoryUpdate Constant(float a_value, float b_value, double alpha) {
  return MakeUpdate(0, kOne, 1, alpha, DType::kF32,
                    [&](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
                      a.assign(a.size(), a_value);
                      b.assign(b.size(), b_value);
                    });
}

TEST(Stack, PutsEveryCoefficientOnBOnce) {
  const InMemoryUpdate x = Constant(1, 1, 2), y = Constant(3, 5, 4);
  auto rule = Stack();
  ASSERT_TRUE(rule->Accumulate({"y", 3, &y.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  const auto result = ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok()) << result.status();
  const testing::ReportedModule& module = result->modules[0];
  EXPECT_EQ(module.rank, 2);
  EXPECT_THAT(module.a, ElementsAre(1, 1, 3, 3));                 // A_x above A_y, untouched.
  EXPECT_THAT(module.b, ElementsAre(0.5, 15, 0.5, 15, 0.5, 15));  // 1/4 * 2 * 1, 3/4 * 4 * 5.
}

TEST(Stack, OneClientIsTheIdentityWithItsScaleFolded) {
  const InMemoryUpdate x = MakeUpdate(7, kOne, 2, 1);  // Scale 1/2, exact in binary.
  auto rule = Stack();
  ASSERT_TRUE(rule->Accumulate({"x", 123, &x.adapter()}).ok());
  const auto result = ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  const auto in = testing::ReferenceOf(x.adapter().modules[0], 1);
  const auto out = testing::ReferenceOf(result->modules[0]);
  EXPECT_EQ(out.a.values, in.a.values);
  for (std::size_t i = 0; i < in.b.values.size(); ++i) EXPECT_EQ(out.b.values[i], in.b.values[i] / 2);
}

TEST(Stack, TakesRanksThatDifferByModule) {
  const InMemoryUpdate x1 = MakeUpdate(1, {{"m1", 4, 3}}, 2, 2), x2 = MakeUpdate(2, {{"m2", 3, 5}}, 3, 2);
  const InMemoryUpdate y = MakeUpdate(3, {{"m1", 4, 3}, {"m2", 3, 5}}, 1, 2);
  const Adapter x{x1.adapter().config, {x1.adapter().modules[0], x2.adapter().modules[0]}};
  auto rule = Stack();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x}).ok());
  ASSERT_TRUE(rule->Accumulate({"y", 1, &y.adapter()}).ok());
  const auto result = ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->modules[0].rank, 3);
  EXPECT_EQ(result->modules[1].rank, 4);
}

TEST(Stack, ResultIsMergedBeforeTheNextRound) { EXPECT_EQ(Stack()->round_start(), RoundStart::kMerge); }

}  // namespace
}  // namespace cairn
