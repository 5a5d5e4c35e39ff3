// Buffers of a receiver that copies: they stay mapped, and so warm, from one update to the next.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/shared/object_table.h"

namespace cairn::bench {

class SlabPool;

// Returns to its pool.
class Slab {
 public:
  Slab() = default;
  Slab(SlabPool* pool, std::unique_ptr<char[]> data) : pool_(pool), data_(std::move(data)) {}
  Slab(Slab&&) = default;
  Slab& operator=(Slab&& other) noexcept;
  ~Slab();
  char* data() const { return data_.get(); }

 private:
  SlabPool* pool_ = nullptr;
  std::unique_ptr<char[]> data_;
};

// All slabs of one pool are of one size. Outlives them.
class SlabPool {
 public:
  explicit SlabPool(std::size_t capacity) : left_(capacity) {}
  static std::size_t RoundUp(std::size_t bytes) { return SlabBytes(bytes); }  // As the shared store's.
  absl::StatusOr<Slab> Take(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Slab slab(this, std::move(idle_.back()));
      idle_.pop_back();
      return slab;
    }
    if (RoundUp(bytes) > left_) return absl::ResourceExhaustedError("all slabs are in use");
    left_ -= RoundUp(bytes);
    return Slab(this, std::make_unique<char[]>(RoundUp(bytes)));
  }
  void Return(std::unique_ptr<char[]> data) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(data));
  }

 private:
  std::mutex mutex_;
  std::size_t left_;
  std::vector<std::unique_ptr<char[]>> idle_;
};

inline Slab::~Slab() {
  if (data_ != nullptr) pool_->Return(std::move(data_));
}
inline Slab& Slab::operator=(Slab&& other) noexcept {
  if (data_ != nullptr) pool_->Return(std::move(data_));
  pool_ = other.pool_;
  data_ = std::move(other.data_);
  return *this;
}

}  // namespace cairn::bench
