// The table of objects, in memory that every process of the node maps and only the agent writes.
// docs/formats/objects.md is its specification.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/limits.h"
#include "server/store/shared/memfd.h"
#include "server/store/shared/object_key.h"
#include "server/store/shared/process_id.h"

namespace cairn {

// One connection of one process to the store, and what it may do. Counts up and is never used again; 0 is the agent.
using Epoch = std::uint64_t;
inline constexpr Epoch kAgentEpoch = 0;

enum class ObjectState : std::uint32_t {
  kFree = 0,
  kWriting = 1,
  kSealed = 2,
  kRemoved = 3,  // Sealed; goes when its last lease does. Nobody new may have it.
  kSpilled = 4,  // Sealed, and in a file.
};

// A slab is a piece of shared memory; its number is used again, with the next incarnation.
struct SlabRef {
  std::uint32_t index = 0;
  std::uint32_t incarnation = 0;
  friend bool operator==(const SlabRef&, const SlabRef&) = default;
};

// What an object of `bytes` takes: whole huge pages.
inline constexpr std::uint64_t kHugePageBytes = 2 * limits::kMiB;
constexpr std::uint64_t SlabBytes(std::uint64_t bytes) {
  return (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
}

inline constexpr std::array<char, 8> kTableMagic = {'C', 'R', 'N', 'O', 'B', 'J', 'T', '\0'};
inline constexpr std::uint32_t kTableVersion = 1;
inline constexpr std::size_t kTableHeaderBytes = 4096;  // The header, and room for what a later version adds.

struct TableHeader {
  std::array<char, 8> magic = kTableMagic;
  std::uint32_t version = kTableVersion;
  std::uint32_t entry_bytes = 64;
  std::uint32_t entries = 0;
  std::int32_t agent_pid = 0;
  std::uint64_t agent_start = 0;
};
static_assert(sizeof(TableHeader) == 32);

struct ObjectEntry {
  std::uint32_t sequence = 0;  // Odd while the agent changes the entry.
  ObjectState state = ObjectState::kFree;
  ObjectKey key;  // Of a free entry: of the last object.
  std::uint64_t bytes = 0;
  SlabRef slab;
  std::uint32_t crc32c = 0;  // Of the bytes, once sealed, as the writer said.
  std::int32_t owner_pid = 0;
  std::uint64_t owner_start = 0;
  Epoch epoch = 0;  // The owner's.
};
static_assert(sizeof(ObjectEntry) == 64);
static_assert(offsetof(ObjectEntry, key) == 8 && offsetof(ObjectEntry, bytes) == 24 &&
              offsetof(ObjectEntry, slab) == 32 && offsetof(ObjectEntry, crc32c) == 40 &&
              offsetof(ObjectEntry, owner_start) == 48 && offsetof(ObjectEntry, epoch) == 56);

// An entry as it lies in memory: in words, so that it can be read while it changes (a seqlock).
struct alignas(64) EntrySlot {
  std::array<std::atomic<std::uint64_t>, 8> words;
};
static_assert(sizeof(EntrySlot) == sizeof(ObjectEntry) && std::atomic<std::uint64_t>::is_always_lock_free);

// What any process sees of the table. Thread-safe.
class TableView {
 public:
  // `fd` stays the caller's. FAILED_PRECONDITION: another version of the layout. DATA_LOSS: no table at all.
  static absl::StatusOr<TableView> Open(int fd);

  std::uint32_t entries() const { return entries_; }
  // A copy of one moment. UNAVAILABLE, after a second: the agent died or was stopped while it changed the
  // entry. REQUIRES: index < entries().
  absl::StatusOr<ObjectEntry> Read(std::uint32_t index) const;
  // The entry of a key, whatever its state. NOT_FOUND: no such object any more. PERMISSION_DENIED: never given out.
  absl::StatusOr<ObjectEntry> Find(const ObjectKey& key) const;
  // Whether the bytes behind the key were this object's up to now: ask after reading them. A process that was stopped
  // for longer than its lease may have read another object's.
  bool StillValid(const ObjectKey& key) const;

 private:
  Mapping mapping_;
  const EntrySlot* slots_ = nullptr;
  std::uint32_t entries_ = 0;
};

// The agent's side. Not thread-safe.
class ObjectTable {
 public:
  static absl::StatusOr<ObjectTable> Create(std::uint32_t entries);

  int read_only_fd() const { return read_only_.get(); }
  const TableView& view() const { return view_; }

  // Takes a free entry for an object that is being written. RESOURCE_EXHAUSTED: all are taken.
  absl::StatusOr<ObjectKey> Add(std::uint64_t bytes, SlabRef slab, ProcessId owner, Epoch epoch);
  // REQUIRES, for these: the key of an entry that is not free.
  void SetSealed(const ObjectKey& key, std::uint32_t crc32c);
  void SetState(const ObjectKey& key, ObjectState state);
  void Free(const ObjectKey& key);
  const ObjectEntry& entry(std::uint32_t index) const { return entries_[index]; }
  ProcessId agent() const { return agent_; }
  std::size_t used() const { return used_; }

 private:
  void Publish(std::uint32_t index);

  UniqueFd read_only_;
  Mapping mapping_;
  TableView view_;
  EntrySlot* slots_ = nullptr;
  std::vector<ObjectEntry> entries_;  // What the slots hold, in private memory.
  std::vector<std::uint32_t> free_;
  std::size_t used_ = 0;
  ProcessId agent_;
};

}  // namespace cairn
