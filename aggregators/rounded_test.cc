#include "aggregators/rounded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::ElementsAre;

TEST(Rounded, GivesWhatAFileHolds) {
  const FactorPtr factor = ValuesOf(std::vector<double>{1 + 0x1p-9, 1 + 0x1p-12, 1 + 0x1p-30, 3}, 2, 2);
  EXPECT_THAT(ReadAllDouble(*Rounded(factor, DType::kBF16)), ElementsAre(1, 1, 1, 3));
  EXPECT_THAT(ReadAllDouble(*Rounded(factor, DType::kF16)), ElementsAre(1 + 0x1p-9, 1, 1, 3));
  EXPECT_THAT(ReadAllDouble(*Rounded(factor, DType::kF32)), ElementsAre(1 + 0x1p-9, 1 + 0x1p-12, 1, 3));
  EXPECT_THAT(ReadAllDouble(*Rounded(factor, DType::kF64)), ElementsAre(1 + 0x1p-9, 1 + 0x1p-12, 1 + 0x1p-30, 3));
  std::vector<float> row(2);
  Rounded(factor, DType::kBF16)->Read(1, absl::MakeSpan(row));
  EXPECT_THAT(row, ElementsAre(1, 3));
}

}  // namespace
}  // namespace cairn
