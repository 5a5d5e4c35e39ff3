#include "base/lost_pages.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

TEST(LostPagesGuard, TheLostReadAsZerosInAnyThread) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", std::string(1 << 20, 'x')).ok());
  const LostPagesGuard guard;
  const auto file = MappedFile::Open(directory / "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->bytes().front(), 'x');
  EXPECT_EQ(LostPagesGuard::Check(), absl::OkStatus());
  std::filesystem::resize_file(directory / "f", 1 << 16);
  EXPECT_EQ(file->bytes()[100], 'x');
  EXPECT_EQ(file->bytes().back(), '\0');
  char other = 'x';
  std::thread([&] { other = file->bytes()[1 << 18]; }).join();
  EXPECT_EQ(other, '\0');
  EXPECT_EQ(LostPagesGuard::Check().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(guard.Lost().code(), absl::StatusCode::kDataLoss);
}

// As when a server publishes one federation while it looks at an upload of another.
TEST(LostPagesGuard, EachKnowsWhatWasLostInItsTime) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", std::string(1 << 20, 'x')).ok());
  const auto file = MappedFile::Open(directory / "f");
  ASSERT_TRUE(file.ok()) << file.status();
  const LostPagesGuard outer;
  std::filesystem::resize_file(directory / "f", 0);
  {
    const LostPagesGuard inner;
    EXPECT_EQ(file->bytes().front(), '\0');
    EXPECT_EQ(inner.Lost().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(outer.Lost().code(), absl::StatusCode::kDataLoss);
  const LostPagesGuard later;
  EXPECT_EQ(later.Lost(), absl::OkStatus());
  EXPECT_EQ(file->bytes().back(), '\0') << "the inner guard ended, and took the outer one's protection away";
  EXPECT_EQ(later.Lost().code(), absl::StatusCode::kDataLoss);
}

// As when a server sends two files, one of which its disk does not give any more.
TEST(LostPagesGuard, AThreadKnowsWhatItLostItself) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", std::string(1 << 20, 'x')).ok());
  const auto file = MappedFile::Open(directory / "f");
  ASSERT_TRUE(file.ok()) << file.status();
  const LostPagesGuard guard;
  std::filesystem::resize_file(directory / "f", 0);
  std::thread([&] {
    const LostPagesGuard other;
    EXPECT_EQ(file->bytes().front(), '\0');
    EXPECT_EQ(other.LostHere().code(), absl::StatusCode::kDataLoss);
  }).join();
  EXPECT_EQ(guard.LostHere(), absl::OkStatus());
  EXPECT_EQ(guard.Lost().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(file->bytes().back(), '\0');
  EXPECT_EQ(guard.LostHere().code(), absl::StatusCode::kDataLoss);
}

// As when clients pull a file again and again that the disk does not give any more, while others are combined.
TEST(LostPagesGuard, WhatOneReadsAloneIsNoBusinessOfOthers) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", std::string(1 << 20, 'x')).ok());
  const auto file = MappedFile::Open(directory / "f");
  ASSERT_TRUE(file.ok()) << file.status();
  const LostPagesGuard other;
  std::filesystem::resize_file(directory / "f", 0);
  {
    const LostPagesGuard alone(LostPagesGuard::Readers::kOne);
    EXPECT_EQ(file->bytes().front(), '\0');
    EXPECT_EQ(alone.LostHere().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(other.Lost(), absl::OkStatus());
  EXPECT_EQ(file->bytes().back(), '\0') << "with the guard of one reader its mark has to end";
  EXPECT_EQ(other.Lost().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cairn
