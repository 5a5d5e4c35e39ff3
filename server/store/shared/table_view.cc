#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/store/shared/object_table.h"

namespace cairn {
namespace {

// A change takes the agent nanoseconds; but it may lose its processor in the middle, or its life.
constexpr int kSpins = 1'000;
constexpr int kSleeps = 4'000;
constexpr useconds_t kSleepMicroseconds = 200;  // A second in all, on top of what the kernel adds.

bool IsChanging(std::uint64_t first_word) { return (first_word & 1) != 0; }

absl::Status CheckHeader(const TableHeader& header, std::uint64_t file_bytes) {
  if (header.magic != kTableMagic) return absl::DataLossError("object table: the magic is missing");
  if (header.version != kTableVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("object table: expected layout version ", kTableVersion, ", got ", header.version));
  }
  const std::uint64_t wanted = kTableHeaderBytes + std::uint64_t{header.entries} * sizeof(ObjectEntry);
  if (header.entry_bytes == sizeof(ObjectEntry) && wanted <= file_bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("object table: ", header.entries, " entries of ", header.entry_bytes,
                                          " bytes in ", file_bytes, " bytes, expected ", sizeof(ObjectEntry),
                                          " bytes each behind ", kTableHeaderBytes));
}

}  // namespace

absl::StatusOr<TableView> TableView::Open(int fd) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "stat", "object table");
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  if (bytes < kTableHeaderBytes) {
    return absl::DataLossError(absl::StrCat("object table: ", bytes, " bytes, expected ", kTableHeaderBytes));
  }
  TableView view;
  CAIRN_ASSIGN_OR_RETURN(view.mapping_, Mapping::Map(fd, bytes, Mapping::Access::kRead));
  TableHeader header;
  std::memcpy(&header, view.mapping_.data(), sizeof(header));
  CAIRN_RETURN_IF_ERROR(CheckHeader(header, bytes));
  view.slots_ = reinterpret_cast<const EntrySlot*>(view.mapping_.data() + kTableHeaderBytes);
  view.entries_ = header.entries;
  return view;
}

absl::StatusOr<ObjectEntry> TableView::Read(std::uint32_t index) const {
  const auto& words = slots_[index].words;
  std::array<std::uint64_t, 8> copy;
  for (int reads = 0; reads < kSpins + kSleeps; ++reads) {
    // Each acquire keeps what is behind it behind it: the sequence is read again after everything else.
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = words[i].load(std::memory_order_acquire);
    if (!IsChanging(copy[0]) && words[0].load(std::memory_order_relaxed) == copy[0]) {
      return std::bit_cast<ObjectEntry>(copy);
    }
    if (reads >= kSpins) ::usleep(kSleepMicroseconds);
  }
  return absl::UnavailableError(
      absl::StrCat("object table: entry ", index, " is left half changed: the agent died, or is stopped"));
}

absl::StatusOr<ObjectEntry> TableView::Find(const ObjectKey& key) const {
  if (key.entry >= entries_ || key.generation == 0) {
    return absl::NotFoundError(
        absl::StrCat("object ", key.ToHex(), ": expected an entry below ", entries_, " and a generation from 1"));
  }
  CAIRN_ASSIGN_OR_RETURN(ObjectEntry entry, Read(key.entry));
  if (key.generation < entry.key.generation || (key == entry.key && entry.state == ObjectState::kFree)) {
    return absl::NotFoundError(absl::StrCat("object ", key.ToHex(), " has gone"));
  }
  if (key != entry.key) {
    return absl::PermissionDeniedError(absl::StrCat("object ", key.ToHex(), ": this store never gave out that key"));
  }
  return entry;
}

bool TableView::StillValid(const ObjectKey& key) const {
#ifndef __SANITIZE_THREAD__  // Which knows no fences, and does not see other processes anyway.
  std::atomic_thread_fence(std::memory_order_acquire);  // The bytes were read before the entry is.
#endif
  const auto entry = Find(key);
  return entry.ok() && (entry->state == ObjectState::kSealed || entry->state == ObjectState::kRemoved);
}

}  // namespace cairn
