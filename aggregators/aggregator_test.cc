// What the base class promises that does not depend on the rule; conformance_test.cc runs the rest on every rule.
#include "aggregators/aggregator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

const std::vector<ModuleSpec> kModules = {{"layer.k", 5, 7}, {"layer.q", 6, 4}};

std::unique_ptr<Aggregator> Stack() { return *MakeAggregator("stack"); }

TEST(Aggregator, AnnouncesModulesAndCombinedRanks) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4), y = MakeUpdate(2, kModules, 3, 4);
  auto rule = Stack();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"y", 1, &y.adapter()}).ok());
  EXPECT_EQ(rule->spec().modules, kModules);
  EXPECT_EQ(rule->ranks(), std::vector<std::int64_t>({5, 5}));
}

// Counts and their total are the same weights as their quotients; rules that copy or multiply see these.
TEST(Aggregator, WeightsAreDividedByTheirTotal) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4), y = MakeUpdate(2, kModules, 3, 4);
  const auto report = [&](absl::Span<const double> weights, double total, std::vector<double>& b) {
    auto rule = Stack();
    EXPECT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
    EXPECT_TRUE(rule->Accumulate({"y", 2, &y.adapter()}).ok());
    const ResultSink sink{[&](const CombinedModule& module) {
      b = ReadAllDouble(*module.b);
      return absl::OkStatus();
    }};
    return std::move(*rule).Report(weights, sink, total);
  };
  std::vector<double> counted, shared;
  ASSERT_TRUE(report({1, 2}, 3, counted).ok());
  ASSERT_TRUE(report({1.0 / 3, 2.0 / 3}, 1, shared).ok());
  EXPECT_EQ(counted, shared);
  for (const double total : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(report({1, 2}, total, counted).code(), absl::StatusCode::kInvalidArgument) << total;
  }
}

TEST(Aggregator, RefusesAnUpdateWithoutModules) {
  const Adapter empty;
  auto rule = Stack();
  EXPECT_EQ(rule->Accumulate({"x", 1, &empty}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(rule->Accumulate({"x", 1, nullptr}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Aggregator, RefusesAClientIdThatIsNotOne) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4);
  EXPECT_EQ(Stack()->Accumulate({"../x", 1, &x.adapter()}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Aggregator, RefusesAViewWhoseBytesAreNotAllThere) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4);
  Adapter cut = x.adapter();
  cut.modules[1].b.data.remove_suffix(1);
  const absl::Status status = Stack()->Accumulate({"x", 1, &cut});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer.q.lora_B.weight: expected 32 bytes, got 31"));
}

TEST(Aggregator, ShapesAloneAreTakenButNotReported) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4);
  Adapter shape = x.adapter();
  for (LoraModule& module : shape.modules) module.a.data = module.b.data = {};
  auto rule = Stack();
  ASSERT_TRUE(rule->AccumulateShape({"x", 1, &shape}).ok());
  EXPECT_EQ(rule->ranks()[0], 2);
  EXPECT_EQ(rule->AccumulateShape({"x", 1, &shape}).code(), absl::StatusCode::kAlreadyExists);
  const absl::Status status = testing::ReportAll(std::move(*rule)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("client x: tensor base_model.model.layer.k.lora_A.weight"));
}

TEST(Aggregator, RefusesAShapeUnlikeTheModules) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4);
  Adapter turned = x.adapter();
  std::swap(turned.modules[0].a.shape[0], turned.modules[0].a.shape[1]);
  const absl::Status status = Stack()->Accumulate({"x", 1, &turned});
  EXPECT_THAT(std::string(status.message()), HasSubstr("client x: module layer.k"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("of shape [2, 5], got F32 [5, 2]"));
}

TEST(Aggregator, RefusesAScaleThatIsNotFinite) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 4);
  Adapter wild = x.adapter();
  wild.modules[0].scale = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Stack()->Accumulate({"x", 1, &wild}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Aggregator, RefusesACombinedRankBeyondTheLimit) {
  const std::vector<ModuleSpec> tiny = {{"m", 1, 1}};
  const InMemoryUpdate half = MakeUpdate(1, tiny, limits::kRankMax / 2 + 1, 1);
  auto rule = Stack();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &half.adapter()}).ok());
  EXPECT_EQ(rule->Accumulate({"y", 1, &half.adapter()}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(rule->ranks()[0], limits::kRankMax / 2 + 1);
}

TEST(Aggregator, ReportsAnOverflowInsteadOfPublishingInfinity) {
  const auto huge = [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) { b[0] = 3e38f; };
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 200, DType::kF32, huge);
  auto rule = Stack();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  const absl::Status status = testing::ReportAll(std::move(*rule)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer.k"));
}

}  // namespace
}  // namespace cairn
