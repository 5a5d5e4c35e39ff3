// Memory for whole updates: anonymous pages that stay mapped, and so warm, from one update to the next. (First touch of
// cold pages costs several times the copy itself.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn {

class SlabPool;

// A piece of memory that returns to its pool.
class Slab {
 public:
  Slab() = default;
  Slab(Slab&& other) noexcept { *this = std::move(other); }
  Slab& operator=(Slab&& other) noexcept;
  ~Slab() { Reset(); }
  char* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }
  void Reset();

 private:
  friend class SlabPool;
  Slab(SlabPool* pool, char* data, std::size_t capacity) : pool_(pool), data_(data), capacity_(capacity) {}
  SlabPool* pool_ = nullptr;
  char* data_ = nullptr;
  std::size_t capacity_ = 0;
};

// Slabs in use and slabs kept for reuse never exceed `capacity` bytes together. Outlives its slabs. Thread-safe.
class SlabPool {
 public:
  explicit SlabPool(std::size_t capacity) : capacity_(capacity) {}
  ~SlabPool();

  // What a slab for `bytes` takes from the capacity: whole huge pages.
  static std::size_t RoundUp(std::size_t bytes);
  // RESOURCE_EXHAUSTED when it does not fit beside the slabs in use, or the system has no memory.
  absl::StatusOr<Slab> Take(std::size_t bytes);

 private:
  friend class Slab;
  void Return(char* data, std::size_t capacity);
  void EvictFor(std::size_t bytes);  // REQUIRES: mutex_ held.

  struct Idle {
    char* data;
    std::size_t capacity;
  };
  const std::size_t capacity_;
  std::mutex mutex_;
  std::size_t mapped_ = 0;  // In use and idle.
  std::vector<Idle> idle_;
};

}  // namespace cairn
