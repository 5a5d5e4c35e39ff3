#include "server/tree/shard_split.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "aggregators/testing.h"
#include "base/files.h"
#include "base/test_directory.h"
#include "server/store/testing.h"

namespace cairn::tree {
namespace {

// As when the disk does not give an update any more: who sent it is not to blame.
TEST(ShareModules, AnUpdateThatCannotBeReadIsAnErrorOfNobody) {
  const TestDirectory directory;
  const testing::UpdateBytes bytes = testing::MakeUpdateBytes(1, {{"layers.0.q", 64, 64}}, 2, 2, DType::kF32);
  ASSERT_TRUE(WriteFileAtomically(directory / "f", bytes.safetensors).ok());
  PublishJob job{"fed", Method{.combine = "svd"}, 1, "", {}, std::nullopt, directory.path()};
  job.contributions.push_back({{"fed", 1, "a", "", bytes.safetensors.size(), 1, bytes.config_json, 0},
                               std::make_shared<testing::MappedBlob>(*MappedFile::Open(directory / "f"))});
  ASSERT_TRUE(ShareModules(job, {1, 1}).ok());
  std::filesystem::resize_file(directory / "f", 0);
  EXPECT_EQ(ShareModules(job, {1, 1}).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cairn::tree
