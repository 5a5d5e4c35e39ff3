#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

// One weight: A = [1], B = [b], so that the norm is b.
InMemoryUpdate Scalar(float b) {
  return MakeUpdate(0, {{"m", 1, 1}}, 1, 1, DType::kF32,
                    [=](const ModuleSpec&, std::vector<float>& a_values, std::vector<float>& b_values) {
                      a_values[0] = 1;
                      b_values[0] = b;
                    });
}

float Combined(const char* name, std::vector<std::pair<float, double>> clients) {
  std::vector<InMemoryUpdate> updates;
  for (const auto& [b, examples] : clients) updates.push_back(Scalar(b));
  auto rule = *MakeAggregator(name);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::string client(1, static_cast<char>('a' + i));
    EXPECT_TRUE(rule->Accumulate({client, clients[i].second, &updates[i].adapter()}).ok());
  }
  const auto result = testing::ReportAll(std::move(*rule));
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->modules[0].a[0], 1);
  return result->modules[0].b[0];
}

TEST(HetLora, LargeUpdatesCountMore) {
  EXPECT_FLOAT_EQ(Combined("hetlora", {{1, 1}, {3, 1}}), (1 * 1 + 3 * 3) / 4.0F);
  EXPECT_FLOAT_EQ(Combined("hetlora", {{-1, 1}, {3, 1}}), (-1 + 3 * 3) / 4.0F);
}

TEST(HetLora, ExamplesCountOnlyWhenAskedFor) {
  EXPECT_FLOAT_EQ(Combined("hetlora", {{1, 5}, {3, 1}}), 2.5F);
  EXPECT_FLOAT_EQ(Combined("hetlora:by=norm_examples", {{1, 5}, {3, 1}}), (5 * 1 + 1 * 3 * 3) / 8.0F);
}

TEST(HetLora, NormsOfZeroCountEqually) { EXPECT_EQ(Combined("hetlora", {{0, 1}, {0, 3}}), 0); }

TEST(HetLora, PadsToTheHighestRank) {
  const InMemoryUpdate wide = MakeUpdate(1, {{"m", 3, 2}}, 3, 3), narrow = MakeUpdate(2, {{"m", 3, 2}}, 1, 1);
  auto rule = *MakeAggregator("hetlora");
  ASSERT_TRUE(rule->Accumulate({"wide", 1, &wide.adapter()}).ok());
  ASSERT_TRUE(rule->Accumulate({"narrow", 1, &narrow.adapter()}).ok());
  EXPECT_THAT(rule->ranks(), ElementsAre(3));
  EXPECT_EQ(testing::ReportAll(std::move(*rule))->modules[0].rank, 3);
}

// Groups of one layer: the norm is that of the whole layer, so that each client has one weight in it.
TEST(HetLora, ALayerWithGroupsIsWeighedWhole) {
  std::vector<InMemoryUpdate> updates;
  std::vector<Adapter> adapters;
  for (const auto& [first, second] : {std::pair(3.0F, 4.0F), {5.0F, 0.0F}}) {  // Norm 5 both.
    updates.push_back(
        MakeUpdate(0, {{"conv", 1, 1}}, 2, 2, DType::kF32,
                   [x = first, y = second](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
                     a = {1, 1};
                     b = {x, y};
                   }));
  }
  auto rule = *MakeAggregator("hetlora");
  for (const InMemoryUpdate& update : updates) adapters.push_back(update.adapter());
  for (std::size_t i = 0; i < adapters.size(); ++i) {
    LoraModule& conv = adapters[i].modules[0];
    conv.layer = {.kind = Layer::Kind::kConv2d, .height = 1, .width = 1, .groups = 2};
    conv.d_out = 2;
    conv.b.shape = {2, 1};
    ASSERT_TRUE(rule->Accumulate({std::string(1, static_cast<char>('a' + i)), 1, &adapters[i]}).ok());
  }
  EXPECT_THAT(testing::ReportAll(std::move(*rule))->modules[0].b, ElementsAre(4, 2));
}

TEST(HetLora, RefusesOtherOptions) {
  for (const char* spec : {"hetlora:by=size", "hetlora:to=norm"}) {
    EXPECT_EQ(MakeAggregator(spec).status().code(), absl::StatusCode::kInvalidArgument) << spec;
  }
}

TEST(HetLora, ResultIsTrainedOn) { EXPECT_EQ((*MakeAggregator("hetlora"))->round_start(), RoundStart::kWarm); }

}  // namespace
}  // namespace cairn
