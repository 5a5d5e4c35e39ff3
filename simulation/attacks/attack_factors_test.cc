#include "simulation/attacks/attack_factors.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "simulation/attacks/testing.h"

namespace cairn::attacks {
namespace {

class AttackFactorsTest : public ::testing::Test {
 protected:
  const Lora own_ = TestUpdate(3, 4);
  const Factors& factors_ = own_.modules.begin()->second;
  static const Factors& First(const Lora& lora) { return lora.modules.begin()->second; }
};

TEST_F(AttackFactorsTest, RescalingChangesTheFactorsAndNotTheUpdate) {
  const Lora sent = Rescaled(own_, 1e4);
  EXPECT_LT(Difference(sent, own_), 1e-6);
  EXPECT_NEAR(at::norm(First(sent).b).item<double>() / at::norm(factors_.b).item<double>(), 1e4, 1);
}

TEST_F(AttackFactorsTest, AnIllConditionedBasisKeepsTheUpdate) {
  const Lora sent = IllConditioned(own_, 1e5, 1);
  EXPECT_LT(Difference(sent, own_), 1e5 * 0x1p-24);
  const at::Tensor before = at::linalg_svdvals(factors_.b.to(at::kDouble));
  const at::Tensor after = at::linalg_svdvals(First(sent).b.to(at::kDouble));
  const auto condition = [](const at::Tensor& s) { return s[0].item<double>() / s[-1].item<double>(); };
  EXPECT_GT(condition(after), 1e3 * condition(before));
  EXPECT_EQ(Bytes(IllConditioned(own_, 1e5, 1)), Bytes(sent));
  EXPECT_NE(Bytes(IllConditioned(own_, 1e5, 2)), Bytes(sent));
}

// What makes it an attack: columns of B are nearly parallel, so that inner products of factors cancel.
TEST_F(AttackFactorsTest, AnIllConditionedBasisSpoilsInnerProductsInFloat32) {
  const Lora sent = IllConditioned(own_, 1e5, 1);
  const Factors& f = First(sent);
  const auto square = [&](at::ScalarType type) {
    const at::Tensor a = f.a.to(type), b = f.b.to(type);
    return (at::matmul(a, a.t()) * at::matmul(b.t(), b)).sum().item<double>();
  };
  EXPECT_GT(std::abs(square(at::kFloat) / square(at::kDouble) - 1), 0.1);
}

TEST_F(AttackFactorsTest, AnIllConditionedBasisOfRankOneIsTheOnlyOne) {
  const Lora one = TestUpdate(3, 1);
  EXPECT_LT(Difference(IllConditioned(one, 1e5, 1), one), 1e-6);
}

TEST_F(AttackFactorsTest, RankInflationCostsMoreAndSaysTheSame) {
  const Lora sent = RankInflated(own_, 3);
  EXPECT_LT(Difference(sent, own_), 1e-6);
  EXPECT_EQ(sent.rank, 12);
  EXPECT_EQ(First(sent).a.size(0), 12);
  EXPECT_EQ(sent.alpha / static_cast<double>(sent.rank), own_.alpha / static_cast<double>(own_.rank));
}

TEST_F(AttackFactorsTest, AFakeAlphaScalesTheUpdate) {
  const Lora sent = FakeAlpha(own_, 10);
  EXPECT_LT(Difference(sent, own_, 10), 1e-6);
  EXPECT_EQ(sent.alpha, 10 * own_.alpha);
  EXPECT_TRUE(at::equal(First(sent).b, factors_.b));
}

TEST_F(AttackFactorsTest, HalfPoisonLeavesAHonest) {
  const Lora sent = HalfPoisoned(own_, 2);
  EXPECT_LT(Difference(sent, own_, -2), 1e-6);
  EXPECT_TRUE(at::equal(First(sent).a, factors_.a));
}

TEST_F(AttackFactorsTest, FillingReplacesB) {
  EXPECT_TRUE(at::isnan(First(Filled(own_, NAN)).b).all().item<bool>());
  EXPECT_TRUE(at::isinf(First(Filled(own_, INFINITY)).b).all().item<bool>());
}

}  // namespace
}  // namespace cairn::attacks
