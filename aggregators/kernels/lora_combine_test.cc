#include "aggregators/kernels/lora_combine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace cairn::kernels {
namespace {

using ::testing::ElementsAre;

TEST(ScaleIntoColumns, WritesItsColumnsAndLeavesTheOthers) {
  const std::vector<float> in = {1, 2, 3, 4};
  std::vector<float> out = {9, 9, 9, 9, 9, 9, 9, 9};
  ScaleIntoColumns(in, {.columns = 2, .width = 4, .at = 1}, 0.5, absl::MakeSpan(out));
  EXPECT_THAT(out, ElementsAre(9, 0.5f, 1, 9, 9, 1.5f, 2, 9));
}

TEST(ScaleIntoColumns, AppliesTheFactorInDoublePrecision) {
  // 1/3 rounded to float32 first would give another float32 product.
  const std::vector<float> in = {5};
  std::vector<float> out = {0};
  ScaleIntoColumns(in, {.columns = 1, .width = 1, .at = 0}, 1.0 / 3.0, absl::MakeSpan(out));
  EXPECT_EQ(out[0], static_cast<float>(5.0 / 3.0));
  EXPECT_NE(out[0], 5.0f * static_cast<float>(1.0 / 3.0));
}

TEST(Scale, MultipliesInDoublePrecision) {
  std::vector<float> values = {5, -3};
  Scale(1.0 / 3.0, absl::MakeSpan(values));
  EXPECT_THAT(values, ElementsAre(static_cast<float>(5.0 / 3.0), -1));
}

}  // namespace
}  // namespace cairn::kernels
