#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;

const std::vector<ModuleSpec> kModules = {{"layer.k", 3, 4}, {"layer.q", 4, 4}};

InMemoryUpdate WithA(std::uint64_t seed, float a_value, double alpha, DType dtype = DType::kF32) {
  return testing::MakeUpdate(seed, kModules, 2, alpha, dtype,
                             [&](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) {
                               for (std::size_t i = 0; i < a.size(); ++i) a[i] = a_value * static_cast<float>(i % 3);
                             });
}

absl::Status Pair(const InMemoryUpdate& first, const InMemoryUpdate& second) {
  auto rule = *MakeAggregator("ffa");
  EXPECT_TRUE(rule->Accumulate({"alice", 1, &first.adapter()}).ok());
  return rule->Accumulate({"bob", 1, &second.adapter()});
}

TEST(Ffa, KeepsATheSharedOneAndIsExactAlsoForMixedScales) {
  const InMemoryUpdate x = WithA(1, 0.5f, 2), y = WithA(2, 0.5f, 5);
  auto rule = *MakeAggregator("ffa");
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"y", 3, &y.adapter()}).ok());
  const auto result = testing::ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const auto out = testing::ReferenceOf(result->modules[m]);
    EXPECT_EQ(out.a.values, testing::ReferenceOf(x.adapter().modules[m], 1).a.values);
    const auto exact = kernels::reference::DenseSum(
        {testing::ReferenceOf(x.adapter().modules[m], 0.25), testing::ReferenceOf(y.adapter().modules[m], 0.75)});
    EXPECT_LE(kernels::reference::MaxDifference(kernels::reference::Product(out.b, out.a), exact), 1e-6);
  }
}

TEST(Ffa, RefusesAnotherAAndNamesModuleAndClients) {
  const absl::Status status = Pair(WithA(1, 0.5f, 2), WithA(2, 0.25f, 2));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("module layer.k lora_A"), HasSubstr("client bob"),
                                                   HasSubstr("client alice"), HasSubstr("stack takes any")));
}

TEST(Ffa, ComparesNumbersWhateverTheirType) {
  EXPECT_TRUE(Pair(WithA(1, 0.5f, 2), WithA(2, 0.5f, 2, DType::kBF16)).ok());
  EXPECT_TRUE(Pair(WithA(1, 0.0f, 2), WithA(2, -0.0f, 2)).ok());
}

// The server checks before bytes are at hand again: by the digests that it took when they came.
TEST(Ffa, ComparesDigestsWhereThereAreNoBytes) {
  const auto rule = *MakeAggregator("ffa");
  const InMemoryUpdate x = WithA(1, 0.5f, 2), y = WithA(2, 0.25f, 2);
  Adapter shapes[] = {x.adapter(), y.adapter()};
  const std::string digests[] = {rule->FrozenParts(x.adapter()), rule->FrozenParts(y.adapter())};
  for (Adapter& shape : shapes) {
    for (LoraModule& module : shape.modules) module.a.data = module.b.data = {};
  }
  ASSERT_TRUE(rule->AccumulateShape({"x", 1, &shapes[0], digests[0]}).ok());
  EXPECT_TRUE(rule->AccumulateShape({"y", 1, &shapes[1], digests[0]}).ok());
  EXPECT_EQ(rule->AccumulateShape({"z", 1, &shapes[1], digests[1]}).code(), absl::StatusCode::kInvalidArgument);
}

// Whoever came first would otherwise dictate another A in every round.
TEST(Ffa, GoesOnFromThePublishedA) {
  const InMemoryUpdate published = WithA(1, 0.5f, 2), same = WithA(2, 0.5f, 2), other = WithA(3, 0.25f, 2);
  const auto rule = *MakeAggregator("ffa");
  rule->GoOnFrom("version 4", published.adapter());
  const absl::Status status = rule->Accumulate({"early", 1, &other.adapter()});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("client early"), HasSubstr("version 4")));
  EXPECT_TRUE(rule->Accumulate({"honest", 1, &same.adapter()}).ok());
}

TEST(Mean, GoesOnFromThePublishedRank) {
  const InMemoryUpdate published = testing::MakeUpdate(1, kModules, 2, 2),
                       other = testing::MakeUpdate(2, kModules, 3, 2);
  for (const char* name : {"mean", "fair", "ffa"}) {
    const auto rule = *MakeAggregator(name);
    rule->GoOnFrom("version 4", published.adapter());
    const absl::Status status = rule->Accumulate({"early", 1, &other.adapter()});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("rank 3"), HasSubstr("version 4 has rank 2")));
    EXPECT_TRUE(rule->Accumulate({"honest", 1, &published.adapter()}).ok());
  }
}

}  // namespace
}  // namespace cairn
