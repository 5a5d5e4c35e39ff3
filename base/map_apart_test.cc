#include "base/map_apart.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"

namespace cairn {
namespace {

constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;

std::size_t RankOf(const void* data) { return reinterpret_cast<std::uintptr_t>(data) / kApartBytes % kApartRanks; }

// Kilobytes of address space of this process.
std::size_t AddressSpace() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmSize:")) return std::stoul(line.substr(7));
  }
  return 0;
}

TEST(MapApartTest, AnyInARowHaveRanksOfTheirOwn) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{5000}, std::size_t{128} << 20, std::size_t{126} << 20}) {
    std::vector<void*> all;
    std::set<std::size_t> ranks;
    for (std::size_t i = 0; i < kApartRanks; ++i) {
      void* const data = MapApart(bytes, PROT_READ, kFlags | MAP_NORESERVE, -1);
      ASSERT_NE(data, MAP_FAILED);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % kApartBytes, 0u);
      ranks.insert(RankOf(data));
      all.push_back(data);
    }
    EXPECT_EQ(ranks.size(), kApartRanks) << bytes;
    for (void* const data : all) EXPECT_EQ(munmap(data, bytes), 0);
  }
}

TEST(MapApartTest, MapsTheFile) {
  const UniqueFd fd(memfd_create("file", MFD_CLOEXEC));
  const std::string bytes(10'000, 'x');
  ASSERT_TRUE(WriteAll(fd.get(), bytes, "file").ok());
  void* const data = MapApart(bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
  ASSERT_NE(data, MAP_FAILED);
  EXPECT_EQ(std::string(static_cast<char*>(data), bytes.size()), bytes);
  *static_cast<char*>(data) = 'y';
  char first = 0;
  ASSERT_EQ(pread(fd.get(), &first, 1, 0), 1);
  EXPECT_EQ(first, 'y');
  EXPECT_EQ(munmap(data, bytes.size()), 0);
}

TEST(MapApartTest, KeepsNothingButTheMapping) {
  const std::size_t before = AddressSpace();
  void* const data = MapApart(5000, PROT_READ, kFlags, -1);
  ASSERT_NE(data, MAP_FAILED);
  EXPECT_LT(AddressSpace() - before, 1024u);
  EXPECT_EQ(munmap(data, 5000), 0);
}

TEST(MapApartTest, SaysWhyItFailed) {
  const std::size_t before = AddressSpace();
  const UniqueFd write_only(open("/dev/null", O_WRONLY | O_CLOEXEC));
  errno = 0;
  EXPECT_EQ(MapApart(5000, PROT_READ, MAP_SHARED, write_only.get()), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  EXPECT_LT(AddressSpace() - before, 1024u);
}

}  // namespace
}  // namespace cairn
