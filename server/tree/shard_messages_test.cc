#include "server/tree/shard_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cairn::tree {
namespace {

using ::testing::HasSubstr;

absl::Status Check(const std::string& file) {
  v1::ShardTask task;
  task.set_file("/data/published/f/.shard-a1-0");
  v1::ShardMade made;
  made.set_file(file);
  return CheckFile(task, made);
}

TEST(CheckFileTest, TakesTheFileThatTheWorkerWasToWriteOrNone) {
  EXPECT_TRUE(Check("/data/published/f/.shard-a1-0").ok());
  EXPECT_TRUE(Check("").ok());
}

TEST(CheckFileTest, RefusesEveryOther) {
  for (const std::string file : {"/data/published/f/.shard-a1-1", "/data/cairn.sqlite", ".shard-a1-0",
                                 "/data/published/f/../f/.shard-a1-0", "/data/published/f/.shard-a1-0/", "/"}) {
    const absl::Status refused = Check(file);
    EXPECT_TRUE(absl::IsPermissionDenied(refused)) << file << ": " << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("it handed over the file \"" + file + "\""));
  }
}

// Of a task that is no shard's.
TEST(CheckFileTest, RefusesAnyWhereThereWasNoneToWrite) {
  v1::ShardMade made;
  made.set_file("/data/cairn.sqlite");
  EXPECT_TRUE(absl::IsPermissionDenied(CheckFile({}, made)));
}

}  // namespace
}  // namespace cairn::tree
