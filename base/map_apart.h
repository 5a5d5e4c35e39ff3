// Mappings that are read at the same time, and not at addresses that get into each other's way.
#pragma once

#include <cstddef>

namespace cairn {

// As mmap (2) of the whole of `fd`, or of no file (-1, with MAP_ANONYMOUS in `flags`); ends with munmap (2). `bytes` is
// above 0.
//
// mmap lays mappings of one size side by side, so that byte i of each is as far from byte i of the next as the size is
// long. Processors guess in which way of the first-level cache an address lies from a hash of its bits (Zen: bits 12 to
// 27). When sizes are near a power of two, updates that are folded together have the same hash all along and drive one
// another out at each step: four of 134 MB took half as long again. Here the addresses of any kApartRanks mappings in a
// row differ in bits 21 to 26, unless another thread maps memory at the same moment. They begin at multiples of 2 MiB,
// as huge pages want them.
inline constexpr std::size_t kApartBytes = std::size_t{2} << 20;
inline constexpr std::size_t kApartRanks = 64;
void* MapApart(std::size_t bytes, int protection, int flags, int fd);

}  // namespace cairn
