#include "server/root/concatenate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/testing.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
namespace reference = kernels::reference;

const std::vector<ModuleSpec> kModules = {{"layers.0.q", 6, 5}, {"layers.1.q", 4, 7}};

class ConcatenateTest : public ::testing::Test {
 protected:
  StoredAdapter Store(const std::string& name, const testing::UpdateBytes& update) {
    EXPECT_TRUE(WriteFileAtomically(directory_ / name, update.safetensors).ok());
    auto stored = OpenAdapter(directory_ / name, update.config_json);
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *std::move(stored);
  }
  StoredAdapter Concatenated(const StoredAdapter& first, const StoredAdapter& second) {
    auto shapes = ConcatenatedShapes(first.adapter, second.adapter);
    EXPECT_TRUE(shapes.ok()) << shapes.status();
    auto writer = AdapterWriter::Create(directory_ / "out", *shapes);
    EXPECT_TRUE(writer.ok()) << writer.status();
    EXPECT_TRUE(Concatenate(first, second, *writer).ok());
    EXPECT_TRUE((*std::move(writer)).Finish().ok());
    std::vector<std::pair<std::string, std::int64_t>> ranks;
    for (const AdapterWriter::Shape& shape : *shapes) ranks.emplace_back(shape.module, shape.rank);
    auto stored = OpenAdapter(directory_ / "out", SerializePeftConfig(UnitScaleConfig(ranks, "", "")));
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *std::move(stored);
  }

  TestDirectory directory_;
};

TEST_F(ConcatenateTest, AddsTheChangesOfAnyDtypesRanksAndScales) {
  const StoredAdapter first = Store("first", testing::MakeUpdateBytes(1, kModules, 3, 6, DType::kBF16));
  const StoredAdapter second = Store("second", testing::MakeUpdateBytes(2, kModules, 2, 1, DType::kF16));
  const StoredAdapter sum = Concatenated(first, second);
  ASSERT_EQ(sum.adapter.modules.size(), 2u);
  for (std::size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(sum.adapter.modules[m].rank, 5);
    EXPECT_EQ(sum.adapter.modules[m].scale, 1);
    const auto expected = reference::DenseSum(
        {testing::ReferenceOf(first.adapter.modules[m], 1), testing::ReferenceOf(second.adapter.modules[m], 1)});
    const auto got = reference::DenseSum({testing::ReferenceOf(sum.adapter.modules[m], 1)});
    // Scales 2 and 1/2 are powers of two: folding them loses nothing.
    EXPECT_EQ(reference::MaxDifference(expected, got), 0);
    EXPECT_GT(reference::MaxAbs(expected), 0.1);
  }
}

TEST_F(ConcatenateTest, KeepsTheRowsOfTheFirstAboveTheSecond) {
  const StoredAdapter first = Store("first", testing::MakeUpdateBytes(1, kModules, 2, 2, DType::kF32));
  const StoredAdapter second = Store("second", testing::MakeUpdateBytes(2, kModules, 1, 1, DType::kF32));
  const StoredAdapter sum = Concatenated(first, second);
  EXPECT_EQ(std::string(sum.adapter.modules[0].a.data),
            std::string(first.adapter.modules[0].a.data) + std::string(second.adapter.modules[0].a.data));
}

TEST_F(ConcatenateTest, RefusesOtherModules) {
  const auto first = testing::MakeUpdate(1, kModules, 2, 2);
  const auto fewer = testing::MakeUpdate(2, {kModules[0]}, 2, 2);
  const auto wider = testing::MakeUpdate(2, {kModules[0], {"layers.1.q", 4, 8}}, 2, 2);
  for (const auto* second : {&fewer, &wider}) {
    EXPECT_EQ(ConcatenatedShapes(first.adapter(), second->adapter()).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
}

TEST_F(ConcatenateTest, StopsAtTheLargestRankAndSaysWhatToDo) {
  auto first = testing::MakeUpdate(1, kModules, 2, 2).adapter();
  const auto second = testing::MakeUpdate(2, kModules, 2, 2);
  first.modules[1].rank = limits::kRankMax - 2;  // Only the numbers are looked at.
  EXPECT_TRUE(ConcatenatedShapes(first, second.adapter()).ok());
  ++first.modules[1].rank;
  const absl::Status status = ConcatenatedShapes(first, second.adapter()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("layers.1.q"));
  EXPECT_THAT(status.message(), HasSubstr("65537"));
  EXPECT_THAT(status.message(), HasSubstr("merge the published adapter"));
}

}  // namespace
}  // namespace cairn
