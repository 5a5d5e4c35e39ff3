#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_lowrank.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

// Rank 2 in 4 x 4: unit 0 is x[0] e_0 e_0^T, unit 1 is x[1] e_1 e_1^T; with `turn`, in the other order and with both
// factors negative.
InMemoryUpdate Diagonal(float first, float second, bool turn = false) {
  return MakeUpdate(0, {{"m", 4, 4}}, 2, 2, DType::kF32,
                    [=](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
                      a.assign(8, 0);
                      b.assign(8, 0);
                      const float sign = turn ? -1 : 1;
                      const int unit = turn ? 1 : 0;
                      a[unit * 4 + 0] = a[(1 - unit) * 4 + 1] = sign;
                      b[0 * 2 + unit] = sign * first;
                      b[1 * 2 + 1 - unit] = sign * second;
                    });
}

testing::ReportedModule Combine(const std::string& name, const std::vector<InMemoryUpdate>& updates,
                                const std::vector<double>& examples) {
  auto rule = *MakeAggregator(name);
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const std::string client(1, static_cast<char>('a' + i));
    const absl::Status status = rule->Accumulate({client, examples[i], &updates[i].adapter()});
    EXPECT_TRUE(status.ok()) << status;
  }
  const auto result = testing::ReportAll(std::move(*rule));
  EXPECT_TRUE(result.ok()) << result.status();
  return result->modules[0];
}

reference::Matrix ProductOf(const testing::ReportedModule& module) {
  const reference::Factors factors = testing::ReferenceOf(module);
  return reference::Product(factors.b, factors.a);
}

TEST(RankCluster, FindsTheSameUnitsInOtherPlacesAndSigns) {
  std::vector<InMemoryUpdate> updates;
  updates.push_back(Diagonal(1, 2));
  updates.push_back(Diagonal(1, 2, true));
  const reference::Matrix out = ProductOf(Combine("rank_cluster", updates, {1, 3}));
  EXPECT_NEAR(out.at(0, 0), 1, 1e-6);
  EXPECT_NEAR(out.at(1, 1), 2, 1e-6);
  EXPECT_NEAR(out.at(0, 1), 0, 1e-6);
  // Averaging A and B apart would mix them up.
  EXPECT_GT(std::abs(ProductOf(Combine("mean", updates, {1, 3})).at(0, 0) - 1), 0.1);
}

TEST(RankCluster, AUnitOfOneClientCountsByItsWeight) {
  // Three different units in three clusters, rank 1 each: the exact sum, but for the spread sqrt(k / r).
  std::vector<InMemoryUpdate> updates;
  for (int i = 0; i < 3; ++i) {
    updates.push_back(MakeUpdate(0, {{"m", 4, 4}}, 1, 1, DType::kF32,
                                 [=](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
                                   a.assign(4, 0);
                                   b.assign(4, 0);
                                   a[i] = b[i] = 1;
                                 }));
  }
  const reference::Matrix out = ProductOf(Combine("rank_cluster:k=3", updates, {1, 2, 5}));
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(out.at(i, i), std::sqrt(3.0) * (i == 0 ? 1 : i == 1 ? 2 : 5) / 8, 1e-6);
}

TEST(RankCluster, ACentreKeepsTheNormOfItsMembers) {
  // Two units at right angles in one cluster: their mean is shorter by sqrt(2), which is given back to both factors.
  std::vector<InMemoryUpdate> updates;
  updates.push_back(Diagonal(1, 1));
  const testing::ReportedModule out = Combine("rank_cluster:k=1", updates, {1});
  ASSERT_EQ(out.rank, 1);
  // Norm 1 of a member, times its weight 2, times sqrt(1/2): the norm of the exact sum.
  EXPECT_NEAR(reference::NormOf(ProductOf(out)), std::sqrt(2.0), 1e-6);
}

TEST(RankCluster, MoreClustersThanUnitsLeaveZeros) {
  std::vector<InMemoryUpdate> updates;
  for (int i = 0; i < 2; ++i) updates.push_back(Diagonal(1, 2));
  const testing::ReportedModule out = Combine("rank_cluster:k=3", updates, {1, 1});
  EXPECT_EQ(out.rank, 3);
  EXPECT_NEAR(ProductOf(out).at(1, 1), 2, 1e-6);
  for (std::size_t j = 8; j < 12; ++j) EXPECT_EQ(out.a[j], 0);
}

TEST(RankCluster, RefusesANumberOfClustersForGroups) {
  const InMemoryUpdate update = MakeUpdate(1, {{"conv", 4, 2}}, 2, 2);
  Adapter adapter = update.adapter();
  adapter.modules[0].layer = {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = 2};
  adapter.modules[0].d_out = 4;
  adapter.modules[0].b.shape = {4, 1};
  const absl::Status status = (*MakeAggregator("rank_cluster:k=2"))->Accumulate({"x", 1, &adapter});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected no option k"));
  EXPECT_TRUE((*MakeAggregator("rank_cluster"))->Accumulate({"x", 1, &adapter}).ok());
}

TEST(RankCluster, RefusesOtherOptions) {
  for (const char* spec : {"rank_cluster:k=0", "rank_cluster:k=1.5", "rank_cluster:seed=1"}) {
    EXPECT_EQ(MakeAggregator(spec).status().code(), absl::StatusCode::kInvalidArgument) << spec;
  }
}

TEST(RankCluster, ResultIsTrainedOn) { EXPECT_EQ((*MakeAggregator("rank_cluster"))->round_start(), RoundStart::kWarm); }

}  // namespace
}  // namespace cairn
