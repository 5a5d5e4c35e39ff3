#include "server/root/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/testing.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using ::testing::ElementsAre;

const std::vector<ModuleSpec> kModules = {{"layers.0.q", 16, 15}, {"layers.1.q", 14, 17}};

testing::InMemoryUpdate Change(std::uint64_t seed, std::int64_t rank,
                               const std::vector<ModuleSpec>& modules = kModules) {
  return testing::MakeUpdate(seed, modules, rank, 2.0 * rank);
}

reference::Matrix Dense(const LoraModule& module) { return reference::DenseSum({testing::ReferenceOf(module, 1)}); }
reference::Matrix Dense(const CombinedModule& module) {
  const reference::Matrix a{module.a->rows(), module.a->columns(), ReadAllDouble(*module.a)};
  const reference::Matrix b{module.b->rows(), module.b->columns(), ReadAllDouble(*module.b)};
  return reference::Product(b, a);
}
reference::Matrix Sum(reference::Matrix x, const reference::Matrix& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
  return x;
}

Checkpoint Next(const Adapter* before, const Adapter& change, RoundStart start,
                const std::map<std::string, std::int64_t>& trained = {}) {
  auto checkpoint = NextCheckpoint(before, change, start, trained);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return checkpoint.ok() ? *std::move(checkpoint) : Checkpoint{};
}

TEST(Checkpoint, MergingAdds) {
  const auto x = Change(1, 3), y = Change(2, 2);
  const Checkpoint next = Next(&x.adapter(), y.adapter(), RoundStart::kMerge);
  EXPECT_THAT(next.ranks(), ElementsAre(5, 5));
  for (std::size_t m = 0; m < 2; ++m) {
    const auto expected = Sum(Dense(x.adapter().modules[m]), Dense(y.adapter().modules[m]));
    EXPECT_LT(reference::MaxDifference(Dense(next.modules[m]), expected), 1e-12);
  }
  EXPECT_EQ(next.spec().modules, kModules);
}

TEST(Checkpoint, AWarmRoundReplaces) {
  const auto x = Change(1, 3), y = Change(2, 2);
  const Checkpoint next = Next(&x.adapter(), y.adapter(), RoundStart::kWarm);
  EXPECT_THAT(next.ranks(), ElementsAre(2, 2));
  EXPECT_EQ(reference::MaxDifference(Dense(next.modules[0]), Dense(y.adapter().modules[0])), 0);
}

// Two units are trained further: those before are replaced, what lies behind them is added up.
TEST(Checkpoint, AResidualRoundReplacesWhatIsTrainedAndAddsTheRest) {
  const auto x = Change(1, 5), y = Change(2, 3);
  const Checkpoint next =
      Next(&x.adapter(), y.adapter(), RoundStart::kResidual, {{"layers.0.q", 2}, {"layers.1.q", 2}});
  EXPECT_THAT(next.ranks(), ElementsAre(6, 6));  // 2 trained, 3 before, 1 new.
  for (std::size_t m = 0; m < 2; ++m) {
    reference::Update old = testing::ReferenceOf(x.adapter().modules[m], 1);
    for (std::int64_t i = 0; i < old.b.rows; ++i) old.b.at(i, 0) = old.b.at(i, 1) = 0;
    const auto expected = Sum(Dense(y.adapter().modules[m]), reference::DenseSum({old}));
    EXPECT_LT(reference::MaxDifference(Dense(next.modules[m]), expected), 1e-12);
    const std::vector<double> first = ReadAllDouble(*next.modules[m].a);
    const auto trained = testing::ReferenceOf(y.adapter().modules[m], 1).a;
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + 2 * trained.columns, trained.values.begin()));
  }
}

TEST(Checkpoint, WhatNobodyTouchedStays) {
  const auto x = Change(1, 3), part = Change(2, 2, {kModules[1]});
  for (RoundStart start : {RoundStart::kMerge, RoundStart::kWarm, RoundStart::kResidual}) {
    const Checkpoint next = Next(&x.adapter(), part.adapter(), start, {{"layers.1.q", 2}});
    EXPECT_EQ(next.spec().modules, kModules);
    EXPECT_EQ(reference::MaxDifference(Dense(next.modules[0]), Dense(x.adapter().modules[0])), 0);
    const auto wide = Change(3, 17);  // 2 units that are trained, and 15 behind them: as many as the weight can hold.
    EXPECT_THAT(Next(&wide.adapter(), part.adapter(), start, {{"layers.1.q", 2}}).ranks()[0], 17);
    const Checkpoint wider = Next(&part.adapter(), x.adapter(), start, {{"layers.0.q", 3}, {"layers.1.q", 3}});
    EXPECT_EQ(wider.spec().modules, kModules);
  }
}

TEST(Checkpoint, TheRankStaysBoundedFromTheFirstRoundOn) {
  const auto wide = Change(1, 40);
  const Checkpoint next = Next(nullptr, wide.adapter(), RoundStart::kMerge);
  EXPECT_THAT(next.ranks(), ElementsAre(15, 14));
  EXPECT_LT(reference::MaxDifference(Dense(next.modules[0]), Dense(wide.adapter().modules[0])), 1e-5);
  const Checkpoint residual =
      Next(nullptr, wide.adapter(), RoundStart::kResidual, {{"layers.0.q", 2}, {"layers.1.q", 2}});
  EXPECT_THAT(residual.ranks(), ElementsAre(17, 16));
}

TEST(Checkpoint, OtherDimensionsAreRefused) {
  const auto x = Change(1, 2), y = Change(2, 2, {{"layers.0.q", 16, 14}});
  const absl::Status refused = NextCheckpoint(&x.adapter(), y.adapter(), RoundStart::kMerge, {}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
}

class CheckpointTensors : public ::testing::Test {
 protected:
  static Adapter With(const std::vector<float>& values, bool absolute, double scale = 1) {
    Adapter adapter;
    const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    adapter.tensors.push_back(
        {{"bias", DType::kF32, {static_cast<std::int64_t>(values.size())}, bytes}, scale, absolute});
    return adapter;
  }
  static std::vector<float> Values(const Checkpoint& checkpoint) { return ReadAll(*checkpoint.tensors.at(0).values); }

  const std::vector<float> x_ = {1, 2}, y_ = {10, 20};
};

TEST_F(CheckpointTensors, AbsoluteValuesReplaceAndChangesAdd) {
  const Adapter before = With(x_, false, 3), change = With(y_, false, 0.5);
  EXPECT_THAT(Values(Next(&before, change, RoundStart::kMerge)), ElementsAre(8, 16));
  EXPECT_THAT(Values(Next(&before, change, RoundStart::kWarm)), ElementsAre(5, 10));
  EXPECT_THAT(Values(Next(&before, change, RoundStart::kResidual)), ElementsAre(5, 10)) << "it is trained further";
  EXPECT_THAT(Values(Next(nullptr, change, RoundStart::kMerge)), ElementsAre(5, 10));
  const Adapter absolute = With(y_, true);
  EXPECT_THAT(Values(Next(&before, absolute, RoundStart::kMerge)), ElementsAre(10, 20));
  EXPECT_THAT(Values(Next(&before, Adapter{}, RoundStart::kMerge)), ElementsAre(3, 6));
}

TEST_F(CheckpointTensors, IntegersAreCarriedAsTheyAre) {
  Adapter change;
  change.tensors.push_back({{"steps", DType::kI32, {1}, "abcd"}});
  const Checkpoint next = Next(nullptr, change, RoundStart::kWarm);
  EXPECT_EQ(next.tensors.at(0).values, nullptr);
  EXPECT_EQ(next.tensors.at(0).same.data, "abcd");
}

}  // namespace
}  // namespace cairn
