// Files as Cairn uses them: whole small files, read-only mappings, atomic and durable replacement, one lock per
// directory. Errors carry the path and what the system said: NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk
// full, too many open files, no memory), UNKNOWN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

// A file descriptor that closes itself.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release();
  void Reset();

 private:
  int fd_ = -1;
};

// The status of a failed system call: "<what> <path>: <strerror>".
absl::Status ErrnoStatus(int error, absl::string_view what, const std::filesystem::path& path);

// Reads a whole file. OUT_OF_RANGE when it holds more than `bytes_max`.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::size_t bytes_max);

// Replaces `path` by `data` atomically: readers see the old file or the new one. Durable when the call returns.
absl::Status WriteFileAtomically(const std::filesystem::path& path, absl::string_view data);

// Writes all of `data` at the position of `fd`. `path` is for the message.
absl::Status WriteAll(int fd, absl::string_view data, const std::filesystem::path& path);

// Makes the entries of a directory (created, renamed, removed files) durable.
absl::Status SyncDirectory(const std::filesystem::path& path);
absl::Status SyncFile(const std::filesystem::path& path);

// What a directory has, in no order; nothing where there is no directory. (The iterators of the standard throw when the
// disk fails on the way, also those that are given an error code.)
absl::StatusOr<std::vector<std::filesystem::path>> ListDirectory(const std::filesystem::path& path);

// A read-only mapping of a whole file; views of it live as long as this object. The file must not be truncated
// meanwhile.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  absl::string_view bytes() const { return {data_, size_}; }
  // Lets the pages leave this process' memory until they are read again.
  void DropPages() const;

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// An exclusive lock on a file, held until destruction or the death of the process.
class FileLock {
 public:
  // UNAVAILABLE when another process holds it; the message names that process' pid as written in the file.
  static absl::StatusOr<FileLock> Acquire(const std::filesystem::path& path);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace cairn
