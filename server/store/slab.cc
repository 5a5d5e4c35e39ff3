#include "server/store/slab.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

constexpr std::size_t kHugePageBytes = 2 * limits::kMiB;

}  // namespace

Slab& Slab::operator=(Slab&& other) noexcept {
  if (this != &other) {
    Reset();
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

void Slab::Reset() {
  if (pool_ != nullptr) pool_->Return(data_, capacity_);
  pool_ = nullptr;
  data_ = nullptr;
  capacity_ = 0;
}

SlabPool::~SlabPool() {
  for (const Idle& idle : idle_) munmap(idle.data, idle.capacity);
}

std::size_t SlabPool::RoundUp(std::size_t bytes) {
  return (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
}

absl::StatusOr<Slab> SlabPool::Take(std::size_t bytes) {
  const std::size_t want = RoundUp(bytes);
  std::lock_guard lock(mutex_);
  // Federations upload equal sizes again and again, so only an exact fit is reused: a larger slab would break the
  // accounting.
  auto fit = std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.capacity == want; });
  if (fit != idle_.end()) {
    char* data = fit->data;
    idle_.erase(fit);
    return Slab(this, data, want);
  }
  EvictFor(want);
  if (mapped_ + want > capacity_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("memory budget: ", mapped_, " of ", capacity_, " bytes in use, ", want, " more wanted"));
  }
  void* data = mmap(nullptr, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return absl::ResourceExhaustedError(absl::StrCat("mmap of ", want, " bytes failed"));
  madvise(data, want, MADV_HUGEPAGE);  // A hint: fewer, larger page faults.
  mapped_ += want;
  return Slab(this, static_cast<char*>(data), want);
}

void SlabPool::Return(char* data, std::size_t capacity) {
  std::lock_guard lock(mutex_);
  idle_.push_back({data, capacity});
}

void SlabPool::EvictFor(std::size_t bytes) {
  while (mapped_ + bytes > capacity_ && !idle_.empty()) {
    munmap(idle_.front().data, idle_.front().capacity);
    mapped_ -= idle_.front().capacity;
    idle_.erase(idle_.begin());
  }
}

}  // namespace cairn
