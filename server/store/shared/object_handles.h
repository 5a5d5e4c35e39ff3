// What the agent's own threads hold of an object. Each gives back what it holds when it is destroyed.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/store/shared/memfd.h"
#include "server/store/shared/object_table.h"

namespace cairn {

class SharedStore;

// An object that is being written, in any order, straight in its place. Without Seal it is given up.
class WritableObject {
 public:
  WritableObject(SharedStore* store, ObjectKey key, absl::Span<char> data) : store_(store), key_(key), data_(data) {}
  WritableObject(WritableObject&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)), key_(other.key_), data_(std::exchange(other.data_, {})) {}
  WritableObject& operator=(WritableObject&&) = delete;
  ~WritableObject();

  const ObjectKey& key() const { return key_; }
  // Holds what an earlier object left. The slice is of no use once the object is sealed.
  absl::Span<char> data() const { return data_; }
  // `crc32c` is that of all the bytes; whoever wrote them had them in the cache. From now on they stay as they are.
  absl::StatusOr<ObjectKey> Seal(std::uint32_t crc32c) &&;
  // Leaves it as it is, for SharedStore::Unpark, or until somebody waits for room: what has been parked for longest is
  // given up first, and before anything is spilled.
  ObjectKey Park() &&;

 private:
  SharedStore* store_;
  ObjectKey key_;
  absl::Span<char> data_;
};

// A lease of a sealed object. The bytes of a spilled one are those of a file: where somebody may cut it short while it
// is read, read it under a LostPagesGuard (base/lost_pages.h).
class ReadableObject {
 public:
  ReadableObject(SharedStore* store, const ObjectEntry& entry, absl::string_view bytes)
      : store_(store), entry_(entry), bytes_(bytes) {}
  ReadableObject(const ObjectEntry& entry, Mapping file)
      : entry_(entry), file_(std::move(file)), bytes_(file_.data(), entry.bytes) {}
  ReadableObject(ReadableObject&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)),
        entry_(other.entry_),
        file_(std::move(other.file_)),
        bytes_(std::exchange(other.bytes_, {})) {}
  ReadableObject& operator=(ReadableObject&&) = delete;
  ~ReadableObject();

  const ObjectKey& key() const { return entry_.key; }
  absl::string_view bytes() const { return bytes_; }
  std::uint32_t crc32c() const { return entry_.crc32c; }
  // Its pages are not needed soon: those of a spilled one leave this process' memory until they are read again.
  void DropPages() const;

 private:
  SharedStore* store_ = nullptr;  // Null for one that is read from a file.
  ObjectEntry entry_;
  Mapping file_;
  absl::string_view bytes_;
};

// Reads all bytes. DATA_LOSS: they are not those that were sealed.
absl::Status VerifyObject(const ObjectKey& key, absl::string_view bytes, std::uint32_t crc32c);

}  // namespace cairn
