#include "aggregators/gram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;

TensorView View(const std::vector<float>& values, std::vector<std::int64_t> shape, std::string name = "t") {
  return {.name = std::move(name),
          .shape = std::move(shape),
          .data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
}

// dW = scale * B * core * A: with B A = [2] of rank 1, and a core.
TEST(Gram, MultipliesByTheCore) {
  const InMemoryUpdate update =
      testing::MakeUpdate(1, {{"m", 1, 1, {}}}, 1, 3, DType::kF32,
                          [](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) { a = {1}, b = {2}; });
  const std::vector<float> one = {5}, other = {-7};
  Adapter x = update.adapter(), y = update.adapter();
  x.modules[0].core = View(one, {1, 1});
  y.modules[0].core = View(other, {1, 1});
  const auto gram = GramOf({{"x", {"x", 1, &x, ""}}, {"y", {"y", 1, &y, ""}}});
  ASSERT_TRUE(gram.ok()) << gram.status();
  EXPECT_THAT(*gram, ElementsAre(ElementsAre(30 * 30, 30 * -42), ElementsAre(30 * -42, 42 * 42)));
}

TEST(Gram, OfGroupsIsTheSumOverThem) {
  const InMemoryUpdate update = testing::MakeUpdate(
      1, {{"m", 1, 1, {}}}, 2, 2, DType::kF32, [](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
        a = {1, 2}, b = {3, 5};
      });
  Adapter conv = update.adapter();
  conv.modules[0].layer = {.kind = Layer::Kind::kConv2d, .height = 1, .width = 1, .groups = 2};
  conv.modules[0].d_out = 2;
  conv.modules[0].b.shape = {2, 1};
  EXPECT_THAT(*GramOf({{"x", {"x", 1, &conv, ""}}}), ElementsAre(ElementsAre(9 + 100)));
  EXPECT_THAT(*GramOf({{"x", {"x", 1, &update.adapter(), ""}}}), ElementsAre(ElementsAre(13 * 13)));
}

TEST(Gram, OfTensorsIsTakenInBlocks) {
  std::vector<float> ones(100'000, 1), twos(100'000, 2);
  Adapter x, y, neither;
  x.tensors = {{.view = View(ones, {100, 1000})}};
  y.tensors = {{.view = View(twos, {100, 1000})}};
  const std::map<std::string, ClientUpdate> updates = {
      {"x", {"x", 1, &x, ""}}, {"y", {"y", 1, &y, ""}}, {"z", {"z", 1, &neither, ""}}};
  EXPECT_THAT(*GramOf(updates), ElementsAre(ElementsAre(1e5, 2e5, 0), ElementsAre(2e5, 4e5, 0), ElementsAre(0, 0, 0)));
  twos[70'000] = NAN;
  const absl::Status status = GramOf(updates).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("client y: tensor \"t\": expected finite values"));
}

}  // namespace
}  // namespace cairn
