#include "base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> NamesIn(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().native());
  }
  return names;
}

TEST(ListDirectory, HasWhatIsThere) {
  const TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "a", "").ok());
  std::filesystem::create_directories(directory / "b" / "c");
  EXPECT_THAT(*ListDirectory(directory.path()), testing::UnorderedElementsAre(directory / "a", directory / "b"));
  EXPECT_THAT(*ListDirectory(directory / "none"), testing::IsEmpty());
  EXPECT_THAT(std::string(ListDirectory(directory / "a").status().message()),
              HasSubstr("read " + (directory / "a").string()));
}

TEST(UniqueFd, ClosesOnceAndMoves) {
  int raw = -1;
  {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(fd);
    raw = fd.get();
    UniqueFd moved = std::move(fd);
    EXPECT_FALSE(fd);
    EXPECT_EQ(moved.get(), raw);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(ErrnoStatus, SaysWhatWhereAndWhy) {
  const absl::Status status = ErrnoStatus(ENOSPC, "write", "/data/x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "write /data/x: No space left on device");
  EXPECT_EQ(ErrnoStatus(ENOENT, "open", "x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrnoStatus(EACCES, "open", "x").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(EIO, "read", "x").code(), absl::StatusCode::kUnknown);
}

TEST(WriteFileAtomically, ReplacesTheFileAndLeavesNothingElse) {
  TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", "old and longer").ok());
  ASSERT_TRUE(WriteFileAtomically(directory / "f", absl::string_view("n\0w", 3)).ok());
  EXPECT_EQ(*ReadFile(directory / "f", 100), std::string("n\0w", 3));
  EXPECT_THAT(NamesIn(directory.path()), ElementsAre("f"));
}

TEST(WriteFileAtomically, FailsCleanly) {
  TestDirectory directory;
  EXPECT_EQ(WriteFileAtomically(directory / "none" / "f", "x").code(), absl::StatusCode::kNotFound);
  std::filesystem::create_directory(directory / "d");
  EXPECT_FALSE(WriteFileAtomically(directory / "d", "x").ok());
  EXPECT_THAT(NamesIn(directory.path()), ElementsAre("d"));
}

TEST(ReadFile, HoldsItsBound) {
  TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", "12345").ok());
  EXPECT_EQ(*ReadFile(directory / "f", 5), "12345");
  const auto too_long = ReadFile(directory / "f", 4);
  EXPECT_EQ(too_long.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(too_long.status().message()), HasSubstr("expected at most 4 bytes"));
  ASSERT_TRUE(WriteFileAtomically(directory / "empty", "").ok());
  EXPECT_EQ(*ReadFile(directory / "empty", 0), "");
}

TEST(ReadFile, RefusesWhatIsNotAFile) {
  TestDirectory directory;
  EXPECT_EQ(ReadFile(directory / "none", 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadFile(directory.path(), 1).status().message()), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);  // Nobody writes: waiting would never end.
  EXPECT_THAT(std::string(ReadFile(directory / "pipe", 1).status().message()), HasSubstr("not a regular file"));
  EXPECT_THAT(std::string(MappedFile::Open(directory / "pipe").status().message()), HasSubstr("not a regular file"));
}

// Files of /proc report size 0 and still have contents.
TEST(ReadFile, DoesNotTrustTheReportedSize) { EXPECT_THAT(*ReadFile("/proc/self/status", 1 << 20), HasSubstr("Pid:")); }

TEST(MappedFile, ShowsTheBytesAndMoves) {
  TestDirectory directory;
  const std::string data(10'000, 'x');
  ASSERT_TRUE(WriteFileAtomically(directory / "f", data).ok());
  auto file = MappedFile::Open(directory / "f");
  ASSERT_TRUE(file.ok()) << file.status();
  const MappedFile moved = *std::move(file);
  EXPECT_EQ(moved.bytes(), data);
}

TEST(MappedFile, MapsNothingForAnEmptyFile) {
  TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", "").ok());
  EXPECT_EQ(MappedFile::Open(directory / "f")->bytes(), "");
  EXPECT_EQ(MappedFile::Open(directory / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST(FileLock, IsExclusiveAndNamesItsHolder) {
  TestDirectory directory;
  {
    const auto held = FileLock::Acquire(directory / "lock");
    ASSERT_TRUE(held.ok()) << held.status();
    const auto second = FileLock::Acquire(directory / "lock");
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat("held by process ", ::getpid())));
  }
  EXPECT_TRUE(FileLock::Acquire(directory / "lock").ok());
}

TEST(FileLock, EndsWithItsProcess) {
  TestDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto held = FileLock::Acquire(directory / "lock");
    const char ok = held.ok();
    (void)!::write(ready[1], &ok, 1);
    ::pause();
    ::_exit(0);
  }
  char ok = 0;
  ASSERT_EQ(::read(ready[0], &ok, 1), 1);
  EXPECT_EQ(ok, 1);
  const auto refused = FileLock::Acquire(directory / "lock");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(absl::StrCat("held by process ", child)));
  EXPECT_TRUE(FileLock::Acquire(directory / "lock").ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace cairn
