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
}

}  // namespace
}  // namespace cairn
