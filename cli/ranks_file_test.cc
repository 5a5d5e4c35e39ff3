#include "cli/ranks_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "base/test_directory.h"

namespace cairn {
namespace {

TEST(ReadRanks, TakesAPipe) {
  const TestDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(directory / "pipe") << "c1 4\nc2 8 16\n"; });
  const auto recipients = ReadRanks(directory / "pipe");
  writer.join();
  ASSERT_TRUE(recipients.ok()) << recipients.status();
  EXPECT_EQ(recipients->at("c1").rank, 4);
  EXPECT_EQ(recipients->at("c2").alpha, 16);
}

TEST(ReadRanks, NamesTheFile) {
  const TestDirectory directory;
  std::ofstream(directory / "ranks") << "c1 zero\n";
  EXPECT_THAT(std::string(ReadRanks(directory / "ranks").status().message()),
              ::testing::StartsWith((directory / "ranks").native() + ": line 1: expected"));
  EXPECT_EQ(ReadRanks(directory / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST(RecipientNote, NamesWhoIsOnOneSideOnly) {
  EXPECT_EQ(RecipientNote({{"a", {4}}, {"b", {4}}}, {"a", "b"}), "");
  EXPECT_EQ(RecipientNote({{"a", {4}}, {"x", {4}}}, {"a", "b"}),
            "note: not among the inputs, and served: x\n"
            "note: inputs without a line in the ranks file, and so without an output: b\n");
  EXPECT_THAT(RecipientNote({{"a", {4}}}, {"a", "b", "c", "d", "e", "f", "g", "h"}),
              ::testing::HasSubstr(": b, c, d, e, f and 2 more\n"));
}

}  // namespace
}  // namespace cairn
