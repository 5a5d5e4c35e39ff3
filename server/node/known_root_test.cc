#include "server/node/known_root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

const std::string kOne = "1a2b3c4d5e6f", kOther = "3c4d5e6f7a8b";

TEST(KnownRootTest, IsTheFirstThatTheDirectoryMeets) {
  const TestDirectory directory;
  for (int started = 0; started < 2; ++started) {
    const auto root = KnownRoot::Load(directory.path(), "127.0.0.1:7072");
    ASSERT_TRUE(root.ok()) << root.status();
    EXPECT_EQ((*root)->identity(), started == 0 ? "" : kOne);
    EXPECT_TRUE((*root)->Meet(kOne).ok());
    EXPECT_TRUE((*root)->Meet(kOne).ok());
    const absl::Status other = (*root)->Meet(kOther);
    EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(other.message()),
                HasSubstr("belongs to the nodes of root 1a2b3c4d...; the root at 127.0.0.1:7072 is 3c4d5e6f...: use "));
    EXPECT_THAT(std::string(other.message()), HasSubstr(directory.path().string()));
    EXPECT_EQ((*root)->identity(), kOne);
  }
}

TEST(KnownRootTest, ARootOfAnEarlierReleaseIsTakenByADirectoryOfNone) {
  const TestDirectory directory;
  const auto root = KnownRoot::Load(directory.path(), "h:1");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_TRUE((*root)->Meet("").ok());
  EXPECT_TRUE((*root)->Meet(kOne).ok());
  EXPECT_EQ((*root)->Meet("").code(), absl::StatusCode::kFailedPrecondition);
}

TEST(KnownRootTest, AFileThatSaysNothingIsNotTakenForNone) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "root", "\n").ok());
  EXPECT_EQ(KnownRoot::Load(directory.path(), "h:1").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cairn
