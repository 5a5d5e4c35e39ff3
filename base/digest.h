// SHA-256 (content addresses) and CRC-32C (chunk checksums).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace cairn {

using Sha256Digest = std::array<unsigned char, 32>;

// Streaming SHA-256 (FIPS 180-4).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(const void* data, std::size_t bytes);
  void Update(absl::string_view data) { Update(data.data(), data.size()); }
  // The digest of everything so far. The object must not be used afterwards, except to be assigned.
  Sha256Digest Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// The digest of `data` as 64 lower-case hexadecimal characters.
std::string Sha256Hex(absl::string_view data);
std::string ToHex(const Sha256Digest& digest);
// True for 64 lower-case hexadecimal characters: the only form in which Cairn writes and accepts a digest.
bool IsSha256Hex(absl::string_view text);

// CRC-32C (Castagnoli, as in RFC 3720) of `data`, continued from `crc`; the CRC of nothing is 0.
std::uint32_t Crc32c(const void* data, std::size_t bytes, std::uint32_t crc = 0);

}  // namespace cairn
