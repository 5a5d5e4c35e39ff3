#include "cli/staged_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StagedOutputTest : public ::testing::Test {
 protected:
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_.path())) names.push_back(entry.path().filename());
    return names;
  }
  static void Fill(const StagedOutput& output) {
    ASSERT_TRUE(WriteFileAtomically(output.directory() / "file", "text").ok());
  }

  const TestDirectory directory_;
};

TEST_F(StagedOutputTest, IsThereWhenCommitted) {
  for (const char* name : {"out", "again/"}) {
    auto output = StagedOutput::Create(directory_.path() / name);
    ASSERT_TRUE(output.ok()) << output.status();
    Fill(*output);
    EXPECT_FALSE(fs::exists(directory_.path() / name));
    ASSERT_EQ(std::move(*output).Commit(), absl::OkStatus());
    EXPECT_EQ(*ReadFile(directory_.path() / name / "file", 100), "text");
  }
  EXPECT_THAT(Names(), ::testing::UnorderedElementsAre("out", "again"));
}

TEST_F(StagedOutputTest, OneFileOfIt) {
  {
    auto output = StagedOutput::Create(directory_ / "result");
    Fill(*output);
    ASSERT_EQ(std::move(*output).Commit("file"), absl::OkStatus());
  }
  EXPECT_THAT(Names(), ElementsAre("result"));
  EXPECT_EQ(*ReadFile(directory_ / "result", 100), "text");
}

TEST_F(StagedOutputTest, NothingIsLeftWithoutCommit) {
  {
    auto output = StagedOutput::Create(directory_ / "out");
    Fill(*output);
  }
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(StagedOutputTest, WhatExistsIsNotTouched) {
  fs::create_directory(directory_ / "out");
  const auto output = StagedOutput::Create(directory_ / "out");
  EXPECT_EQ(output.status().code(), absl::StatusCode::kAlreadyExists);
  fs::create_symlink("nowhere", directory_ / "link");
  EXPECT_EQ(StagedOutput::Create(directory_ / "link").status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(StagedOutputTest, WhatCameMeanwhileIsNotTouched) {
  {
    auto output = StagedOutput::Create(directory_ / "out");
    fs::create_directory(directory_ / "out");
    EXPECT_EQ(std::move(*output).Commit().code(), absl::StatusCode::kAlreadyExists);
  }
  EXPECT_THAT(Names(), ElementsAre("out"));
  EXPECT_TRUE(fs::is_empty(directory_ / "out"));
}

TEST_F(StagedOutputTest, TheParentMustBeThere) {
  const auto output = StagedOutput::Create(directory_ / "no" / "out");
  EXPECT_EQ(output.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(output.status().message()),
              testing::StartsWith("create " + (directory_ / "no").native() + "/out: No such file"));
}

// What a killed run leaves.
fs::path Abandon(const fs::path& target, const std::string& as) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto output = StagedOutput::Create(target);
    ::_exit(output.ok() ? 0 : 1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const fs::path left = target.parent_path() / absl::StrCat(".", target.filename().native(), ".partial-", child);
  const fs::path renamed = target.parent_path() / as;
  fs::rename(left, renamed);
  return renamed;
}

TEST_F(StagedOutputTest, RemovesWhatKilledRunsLeft) {
  const fs::path mine = Abandon(directory_ / "out", ".out.partial-1");
  const fs::path other = Abandon(directory_ / "other", ".other.partial-1");
  const auto output = StagedOutput::Create(directory_ / "out");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_FALSE(fs::exists(mine));
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(StagedOutputTest, FoldersOfOthersStay) {
  const fs::path named = Abandon(directory_ / "out", ".out.partial-old");
  const fs::path unmarked = directory_ / ".out.partial-2", link = directory_ / ".out.partial-3";
  fs::create_directory(unmarked);
  fs::create_directory_symlink(named, link);
  const auto output = StagedOutput::Create(directory_ / "out");
  ASSERT_TRUE(output.ok()) << output.status();
  for (const fs::path& foreign : {named, unmarked, link}) EXPECT_TRUE(fs::exists(foreign)) << foreign;
}

TEST_F(StagedOutputTest, ARunThatLivesIsLeftAlone) {
  const auto first = StagedOutput::Create(directory_ / "out");
  const auto second = StagedOutput::Create(directory_ / "out");  // Takes another name.
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_NE(first->directory(), second->directory());
  EXPECT_TRUE(fs::exists(first->directory()));
}

TEST_F(StagedOutputTest, ATakenNameIsNotUsed) {
  const std::string taken = absl::StrCat(".out.partial-", static_cast<std::int64_t>(::getpid()));
  fs::create_directory(directory_ / taken);
  const auto output = StagedOutput::Create(directory_ / "out");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_NE(output->directory().parent_path().filename(), taken);
}

}  // namespace
}  // namespace cairn
