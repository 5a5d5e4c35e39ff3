#include "server/store/shared/object_table.h"

#include <sys/random.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::StatusOr<std::uint64_t> RandomWord() {
  std::uint64_t word = 0;
  if (::getrandom(&word, sizeof(word), 0) != sizeof(word)) return ErrnoStatus(errno, "read", "random bytes");
  return word;
}

}  // namespace

absl::StatusOr<ObjectTable> ObjectTable::Create(std::uint32_t entries) {
  const std::uint64_t bytes = kTableHeaderBytes + std::uint64_t{entries} * sizeof(ObjectEntry);
  ObjectTable table;
  CAIRN_ASSIGN_OR_RETURN(const UniqueFd fd, CreateMemfd("cairn-objects", bytes));
  CAIRN_RETURN_IF_ERROR(AllocatePages(fd.get(), 0, bytes));
  CAIRN_ASSIGN_OR_RETURN(table.mapping_, Mapping::Map(fd.get(), bytes, Mapping::Access::kReadWrite));
  CAIRN_ASSIGN_OR_RETURN(table.agent_, FindProcess(::getpid()));
  const TableHeader header{.entries = entries, .agent_pid = table.agent_.pid, .agent_start = table.agent_.start};
  std::memcpy(table.mapping_.data(), &header, sizeof(header));
  CAIRN_RETURN_IF_ERROR(SealAgainstNewWriters(fd.get()));
  CAIRN_ASSIGN_OR_RETURN(table.read_only_, ReopenReadOnly(fd.get()));
  CAIRN_ASSIGN_OR_RETURN(table.view_, TableView::Open(table.read_only_.get()));
  table.slots_ = reinterpret_cast<EntrySlot*>(table.mapping_.data() + kTableHeaderBytes);
  table.entries_.resize(entries);
  for (std::uint32_t i = entries; i > 0; --i) table.free_.push_back(i - 1);
  return table;
}

absl::StatusOr<ObjectKey> ObjectTable::Add(std::uint64_t bytes, SlabRef slab, ProcessId owner, Epoch epoch) {
  if (free_.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat("object table: all ", entries_.size(), " entries are in use"));
  }
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t check, RandomWord());
  const std::uint32_t index = free_.back();
  free_.pop_back();
  used_ += 1;
  ObjectEntry& entry = entries_[index];
  entry = {.sequence = entry.sequence,
           .state = ObjectState::kWriting,
           .key = {index, entry.key.generation + 1, check},
           .bytes = bytes,
           .slab = slab,
           .owner_pid = owner.pid,
           .owner_start = owner.start,
           .epoch = epoch};
  Publish(index);
  return entry.key;
}

void ObjectTable::SetSealed(const ObjectKey& key, std::uint32_t crc32c) {
  entries_[key.entry].crc32c = crc32c;
  SetState(key, ObjectState::kSealed);
}

void ObjectTable::SetState(const ObjectKey& key, ObjectState state) {
  entries_[key.entry].state = state;
  Publish(key.entry);
}

void ObjectTable::Free(const ObjectKey& key) {
  SetState(key, ObjectState::kFree);
  used_ -= 1;
  // An entry whose generations are used up stays out of use: a key is given out once.
  if (key.generation != UINT32_MAX) free_.push_back(key.entry);
}

void ObjectTable::Publish(std::uint32_t index) {
  ObjectEntry& entry = entries_[index];
  auto& words = slots_[index].words;
  words[0].store(words[0].load(std::memory_order_relaxed) | 1, std::memory_order_relaxed);
  entry.sequence += 2;
  const auto copy = std::bit_cast<std::array<std::uint64_t, 8>>(entry);
  // Each release keeps what is before it before it: who sees a new word sees the odd sequence too.
  for (std::size_t i = 1; i < copy.size(); ++i) words[i].store(copy[i], std::memory_order_release);
  words[0].store(copy[0], std::memory_order_release);
}

}  // namespace cairn
