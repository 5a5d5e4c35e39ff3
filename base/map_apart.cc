#include "base/map_apart.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>

namespace cairn {
namespace {

constexpr std::size_t kTurnBytes = kApartBytes * kApartRanks;  // After so much the ranks begin anew.

// The first address from `begin` on of the mapping whose turn it is.
char* PlaceFrom(char* begin) {
  static std::atomic<std::uintptr_t> turn{0};
  const std::uintptr_t wanted = turn.fetch_add(1, std::memory_order_relaxed) % kApartRanks * kApartBytes;
  return begin + (wanted - reinterpret_cast<std::uintptr_t>(begin)) % kTurnBytes;
}

}  // namespace

void* MapApart(std::size_t bytes, int protection, int flags, int fd) {
  // Address space in which there is room for any rank, found and given back: whoever takes it in between has it.
  const std::size_t room = bytes + kTurnBytes;
  void* const space = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return MAP_FAILED;
  munmap(space, room);
  return mmap(PlaceFrom(static_cast<char*>(space)), bytes, protection, flags, fd, 0);
}

}  // namespace cairn
