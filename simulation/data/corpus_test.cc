#include "simulation/data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CorpusTest : public ::testing::Test {
 protected:
  CorpusTest()
      : root_(fs::path(::testing::TempDir()) /
              absl::StrCat("corpus_", ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~CorpusTest() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  fs::path root_;
};

TEST_F(CorpusTest, ReadsOneClientPerFolderAndSkipsBinaries) {
  Write("b/second.txt", "two");
  Write("a/first.txt", "one");
  Write("a/image.png", std::string("PNG\0\1", 5));
  const auto corpora = ReadFolders(root_);
  ASSERT_TRUE(corpora.ok()) << corpora.status();
  ASSERT_EQ(corpora->size(), 2u);
  EXPECT_EQ((*corpora)[0].client, "a");
  ASSERT_EQ((*corpora)[0].documents.size(), 1u);
  EXPECT_EQ((*corpora)[0].documents[0].text, "one");
  EXPECT_EQ((*corpora)[1].bytes(), 3u);
}

TEST_F(CorpusTest, SaysThatFoldersAreMissing) {
  Write("file.txt", "text");
  const auto corpora = ReadFolders(root_);
  EXPECT_EQ(corpora.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(corpora.status().message(), HasSubstr("expected one sub-folder of text files per client"));
}

TEST_F(CorpusTest, SaysWhichFolderHasNoText) {
  Write("a/first.txt", "one");
  Write("b/empty.txt", "");
  const auto corpora = ReadFolders(root_);
  EXPECT_THAT(corpora.status().message(), HasSubstr("/b: expected at least one text file, got 1 files"));
}

TEST_F(CorpusTest, SaysThatTheDirectoryIsMissing) {
  EXPECT_EQ(ReadFolders(root_ / "nowhere").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadDocuments("c", root_, {"nothing.txt"}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cairn
