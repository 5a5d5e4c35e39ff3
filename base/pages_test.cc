#include "base/pages.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

// Pages of the mapping that this process has, by its page map (mincore tells of the page cache).
std::int64_t ResidentPages(absl::string_view mapping) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<std::uint64_t> entries(mapping.size() / page);
  std::FILE* map = std::fopen("/proc/self/pagemap", "rb");
  std::fseek(map, static_cast<long>(reinterpret_cast<std::uintptr_t>(mapping.data()) / page * sizeof(entries[0])),
             SEEK_SET);
  const std::size_t read = std::fread(entries.data(), sizeof(entries[0]), entries.size(), map);
  std::fclose(map);
  EXPECT_EQ(read, entries.size());
  return std::count_if(entries.begin(), entries.end(), [](std::uint64_t entry) { return entry >> 63 != 0; });
}

TEST(DropMappedPages, LeavesNothingOfWhatWasReadAndKeepsTheContents) {
  const TestDirectory directory;
  std::string bytes(1 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 7);
  ASSERT_TRUE(WriteFileAtomically(directory / "file", bytes).ok());
  const auto file = MappedFile::Open(directory / "file");
  ASSERT_TRUE(file.ok());
  const absl::string_view part = file->bytes().substr(100'000, 300'000);
  ASSERT_EQ(part, absl::string_view(bytes).substr(100'000, 300'000));
  ASSERT_GT(ResidentPages(file->bytes()), 60);
  DropMappedPages(file->bytes(), part);
  EXPECT_EQ(ResidentPages(file->bytes()), 0);
  EXPECT_EQ(file->bytes(), bytes);
  DropMappedPages(file->bytes(), file->bytes());
  EXPECT_EQ(ResidentPages(file->bytes()), 0);
}

}  // namespace
}  // namespace cairn
