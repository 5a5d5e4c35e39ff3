#include "cli/staged_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

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
  EXPECT_THAT(std::string(output.status().message()), HasSubstr("create directory"));
}

TEST_F(StagedOutputTest, RemovesWhatKilledRunsLeft) {
  fs::create_directory(directory_ / ".out.partial-1");
  fs::create_directory(directory_ / ".other.partial-1");
  auto first = StagedOutput::Create(directory_ / "out");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(fs::exists(directory_ / ".out.partial-1"));
  EXPECT_TRUE(fs::exists(directory_ / ".other.partial-1"));
}

}  // namespace
}  // namespace cairn
