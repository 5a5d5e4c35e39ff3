// What this machine can do at best: what everything else is measured against.
#pragma once

#include <cstddef>

namespace cairn::bench {

// Seconds to copy as many bytes from one place in memory to another, on `threads` threads: every byte is read once and
// written once.
double CopySeconds(std::size_t bytes, int threads);

// Multiply-adds of float64 a second, in a matrix product of libtorch with `size` rows, columns and terms.
double ProductsASecond(int size);

}  // namespace cairn::bench
