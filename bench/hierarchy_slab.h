// Warm memory for whole updates of one size: anonymous pages that stay mapped from one update to the next. (First touch
// of cold pages costs several times the copy itself.)
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::bench {

class SlabPool;

// A piece of memory that returns to its pool.
class Slab {
 public:
  Slab(Slab&& other) noexcept;
  Slab& operator=(Slab&& other) noexcept;
  ~Slab();
  char* data() const { return data_; }

 private:
  friend class SlabPool;
  Slab(SlabPool* pool, char* data) : pool_(pool), data_(data) {}
  SlabPool* pool_;
  char* data_;  // None: it was moved from.
};

// Outlives its slabs. Thread-safe.
class SlabPool {
 public:
  explicit SlabPool(std::size_t bytes) : bytes_(RoundUp(bytes)) {}
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;
  ~SlabPool();

  static std::size_t RoundUp(std::size_t bytes);  // To whole huge pages.
  absl::StatusOr<Slab> Take();                    // RESOURCE_EXHAUSTED when the system has no memory.

 private:
  friend class Slab;
  void Return(char* data);

  const std::size_t bytes_;
  std::mutex mutex_;
  std::vector<char*> idle_;
};

}  // namespace cairn::bench
