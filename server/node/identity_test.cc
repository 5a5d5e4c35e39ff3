#include "server/node/identity.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

TEST(NodeIdentityTest, IsKeptWithTheDirectory) {
  const TestDirectory directory;
  const auto made = LoadNodeIdentity(directory.path(), "n1");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->name, "n1");
  ASSERT_TRUE(KeepNodeIdentity(directory.path(), *made).ok());
  for (const char* name : {"n1", ""}) {
    const auto again = LoadNodeIdentity(directory.path(), name);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->name, "n1");
    EXPECT_EQ(again->directory, made->directory);
    EXPECT_FALSE(again->made);
  }
  EXPECT_EQ(LoadNodeIdentity(directory.path(), "n2").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(NodeIdentityTest, IsMadeWhereNoNameIsGiven) {
  const TestDirectory one, other;
  const auto first = LoadNodeIdentity(one.path(), ""), second = LoadNodeIdentity(other.path(), "");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(absl::StartsWith(first->name, "node-"));
  EXPECT_NE(first->name, second->name);
  EXPECT_NE(first->directory, second->directory);
}

TEST(NodeIdentityTest, OneThatIsNotKeptBindsTheDirectoryToNothing) {
  const TestDirectory directory;
  ASSERT_TRUE(LoadNodeIdentity(directory.path(), "").ok());
  EXPECT_EQ(LoadNodeIdentity(directory.path(), "n1")->name, "n1");
}

TEST(NodeIdentityTest, ANameThatNobodyCanHaveIsSaidToBeOne) {
  const TestDirectory directory;
  ASSERT_TRUE(KeepNodeIdentity(directory.path(), *LoadNodeIdentity(directory.path(), "n1")).ok());
  EXPECT_EQ(LoadNodeIdentity(directory.path(), "n 1").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
