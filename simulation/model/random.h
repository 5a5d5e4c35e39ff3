// Random numbers that are the same on every machine for the same seed: no distribution of the standard library.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>

#include "absl/strings/string_view.h"

namespace cairn {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // Uniform in [0, 1), with 24 bits: exact in float.
  float Uniform() { return static_cast<float>(engine_() >> 40) * 0x1p-24f; }
  // Uniform in [0, n); n is at most 2^32, so that the bias of the remainder is below 2^-32.
  std::uint64_t Below(std::uint64_t n) { return engine_() % n; }

 private:
  std::mt19937_64 engine_;
};

// A seed for one purpose, from everything that identifies it: SeedOf(7, {"client-1", "round-2"}).
std::uint64_t SeedOf(std::uint64_t seed, std::initializer_list<absl::string_view> purpose);

}  // namespace cairn
