#include "server/node/part_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <string>

#include "base/limits.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

TEST(PartFile, HoldsWhatWasWrittenAndTakesNoRoomForTheRest) {
  const TestDirectory directory;
  const std::uint64_t size = limits::kGiB;
  {
    const auto file = PartFile::Create(directory / "part", size);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Write(size - 3, "end").ok());
    ASSERT_TRUE((*file)->Write(7, "begin").ok());
    (*file)->Close();
    EXPECT_EQ((*file)->bytes().size(), size);
    EXPECT_EQ((*file)->bytes().substr(6, 7), std::string("\0begin\0", 7));
    (*file)->DropPages();
    EXPECT_EQ((*file)->bytes().substr(size - 3), "end");
    struct stat info {};
    ASSERT_EQ(stat((*file)->path()->c_str(), &info), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), size);
    EXPECT_LT(info.st_blocks * 512, static_cast<std::int64_t>(limits::kMiB));
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "part"));
}

TEST(PartFile, OneThatIsMadeAnewLeavesWhatIsMappedOfTheOld) {
  const TestDirectory directory;
  const auto old = PartFile::Create(directory / "part", 10);
  ASSERT_TRUE((*old)->Write(0, "0123456789").ok());
  const auto mapped = MappedFile::Open(directory / "part");
  const auto anew = PartFile::Create(directory / "part", 5);
  ASSERT_TRUE(anew.ok()) << anew.status();
  EXPECT_EQ(mapped->bytes(), "0123456789");
  EXPECT_EQ((*anew)->bytes(), std::string(5, '\0'));
}

// A file may not grow beyond what the system allows, as if the disk were full.
TEST(PartFile, WhatCannotBeWrittenIsAnError) {
  const TestDirectory directory;
  EXPECT_EQ(PartFile::Create(directory / "none" / "part", 5).status().code(), absl::StatusCode::kNotFound);
  const auto file = PartFile::Create(directory / "part", 100'000);
  ASSERT_TRUE(file.ok()) << file.status();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{50'000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status written = (*file)->Write(40'000, std::string(20'000, 'x'));
  const auto larger = PartFile::Create(directory / "larger", 100'000);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(written.code(), absl::StatusCode::kResourceExhausted) << written;
  EXPECT_EQ(larger.status().code(), absl::StatusCode::kResourceExhausted) << larger.status();
  EXPECT_FALSE(std::filesystem::exists(directory / "larger"));
}

}  // namespace
}  // namespace cairn
