#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;

constexpr std::int64_t kRank = 3;
const std::vector<ModuleSpec> kModules = {{"layer.k", 5, 7}, {"layer.q", 6, 4}};

// Clients that share A and B, with cores of their own.
class CoreMeanTest : public ::testing::Test {
 protected:
  const Adapter& Client(std::uint64_t core_seed, double alpha, std::uint64_t frozen_seed = 1) {
    frozen_.push_back(testing::MakeUpdate(frozen_seed, kModules, kRank, alpha));
    std::vector<ModuleSpec> cores;
    for (const ModuleSpec& module : kModules) cores.push_back({module.name, kRank, kRank});
    cores_.push_back(testing::MakeUpdate(core_seed, cores, kRank, alpha));
    Adapter& adapter = adapters_.emplace_back(frozen_.back().adapter());
    for (std::size_t m = 0; m < kModules.size(); ++m) adapter.modules[m].core = cores_.back().adapter().modules[m].a;
    return adapter;
  }
  // s B C A.
  static reference::Update Dense(const LoraModule& module, double weight) {
    LoraModule core = module;
    core.a = *module.core;
    reference::Update update = testing::ReferenceOf(module, weight);
    update.b = reference::Product(update.b, testing::ReferenceOf(core, 1).a);
    return update;
  }

  std::deque<InMemoryUpdate> frozen_, cores_;
  std::deque<Adapter> adapters_;
};

TEST_F(CoreMeanTest, IsTheExactMeanOfTheUpdates) {
  const Adapter &x = Client(10, 2), &y = Client(11, 5);
  auto rule = *MakeAggregator("core_mean");
  ASSERT_TRUE(rule->Accumulate({"y", 3, &y}).ok());
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x}).ok());
  const auto result = testing::ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok()) << result.status();
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const auto out = testing::ReferenceOf(result->modules[m]);
    EXPECT_EQ(result->modules[m].rank, kRank);
    const auto exact = reference::DenseSum({Dense(x.modules[m], 0.25), Dense(y.modules[m], 0.75)});
    EXPECT_LE(reference::MaxDifference(reference::Product(out.b, out.a), exact), 1e-5);
    EXPECT_GT(reference::MaxAbs(exact), 0.1);
  }
}

TEST_F(CoreMeanTest, RefusesOtherFrozenFactors) {
  auto rule = *MakeAggregator("core_mean");
  ASSERT_TRUE(rule->Accumulate({"x", 1, &Client(10, 2)}).ok());
  const absl::Status status = rule->Accumulate({"y", 1, &Client(11, 2, 99)});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("module layer.k lora_A"), HasSubstr("client y")));
}

TEST_F(CoreMeanTest, NeedsCoresAndOtherRulesRefuseThem) {
  const InMemoryUpdate plain = testing::MakeUpdate(1, kModules, kRank, 2);
  auto rule = *MakeAggregator("core_mean");
  EXPECT_THAT(std::string(rule->Accumulate({"x", 1, &plain.adapter()}).message()),
              HasSubstr("module layer.k: combine core_mean needs a core"));
  auto stack = *MakeAggregator("stack");
  EXPECT_THAT(std::string(stack->Accumulate({"x", 1, &Client(10, 2)}).message()),
              HasSubstr("which only combine core_mean takes"));
}

}  // namespace
}  // namespace cairn
