#include "simulation/model/random.h"

#include <cstring>

#include "base/digest.h"

namespace cairn {

std::uint64_t SeedOf(std::uint64_t seed, std::initializer_list<absl::string_view> purpose) {
  Sha256 hash;
  hash.Update(&seed, sizeof seed);
  for (absl::string_view part : purpose) {
    const std::uint64_t size = part.size();  // Lengths keep {"ab", "c"} apart from {"a", "bc"}.
    hash.Update(&size, sizeof size);
    hash.Update(part);
  }
  const Sha256Digest digest = hash.Finish();
  std::uint64_t out;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

}  // namespace cairn
