#include "server/directory_role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(DirectoryRoleTest, AnEmptyOrMissingDirectoryIsAnybodys) {
  const TestDirectory directory;
  for (const Role role : {Role::kAll, Role::kRoot, Role::kGateway}) {
    EXPECT_TRUE(CheckDirectoryRole(directory.path(), role).ok());
    EXPECT_TRUE(CheckDirectoryRole(directory / "missing", role).ok());
  }
}

TEST(DirectoryRoleTest, AServersIsNoGateways) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "cairn.sqlite", "").ok());
  std::filesystem::create_directory(directory / "node");  // Of its workers.
  EXPECT_TRUE(CheckDirectoryRole(directory.path(), Role::kAll).ok());
  EXPECT_TRUE(CheckDirectoryRole(directory.path(), Role::kRoot).ok());
  const absl::Status refused = CheckDirectoryRole(directory.path(), Role::kGateway);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(directory.path().string()));
}

TEST(DirectoryRoleTest, AGatewaysIsNoServers) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "node", "n1\nrandom\n").ok());
  EXPECT_TRUE(CheckDirectoryRole(directory.path(), Role::kGateway).ok());
  for (const Role role : {Role::kAll, Role::kRoot}) {
    const absl::Status refused = CheckDirectoryRole(directory.path(), role);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("cairn gateway"));
  }
}

}  // namespace
}  // namespace cairn
