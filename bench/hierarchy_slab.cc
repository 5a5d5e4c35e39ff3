#include "bench/hierarchy_slab.h"

#include <sys/mman.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/map_apart.h"

namespace cairn::bench {
namespace {

constexpr std::size_t kHugePageBytes = 2 * limits::kMiB;

}  // namespace

Slab::Slab(Slab&& other) noexcept : pool_(other.pool_), data_(std::exchange(other.data_, nullptr)) {}
Slab& Slab::operator=(Slab&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(data_, other.data_);
  return *this;
}
Slab::~Slab() {
  if (data_ != nullptr) pool_->Return(data_);
}

SlabPool::~SlabPool() {
  for (char* data : idle_) munmap(data, bytes_);
}

std::size_t SlabPool::RoundUp(std::size_t bytes) {
  return (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
}

absl::StatusOr<Slab> SlabPool::Take() {
  std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    char* data = idle_.back();
    idle_.pop_back();
    return Slab(this, data);
  }
  void* data = MapApart(bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (data == MAP_FAILED) return absl::ResourceExhaustedError(absl::StrCat("mmap of ", bytes_, " bytes failed"));
  madvise(data, bytes_, MADV_HUGEPAGE);  // A hint: fewer, larger page faults.
  return Slab(this, static_cast<char*>(data));
}

void SlabPool::Return(char* data) {
  std::lock_guard lock(mutex_);
  idle_.push_back(data);
}

}  // namespace cairn::bench
