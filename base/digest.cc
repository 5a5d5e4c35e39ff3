#include "base/digest.h"

#include <isa-l/crc.h>
#include <openssl/evp.h>

#include <cstdlib>

#include "absl/strings/escaping.h"

namespace cairn {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  // Fails only when memory is exhausted or the OpenSSL installation lacks SHA-256: nothing sensible can go on.
  if (context_->evp == nullptr || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1) std::abort();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(const void* data, std::size_t bytes) {
  if (EVP_DigestUpdate(context_->evp, data, bytes) != 1) std::abort();
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  if (EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr) != 1) std::abort();
  return digest;
}

std::string ToHex(const Sha256Digest& digest) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string Sha256Hex(absl::string_view data) {
  Sha256 sha;
  sha.Update(data);
  return ToHex(sha.Finish());
}

bool IsSha256Hex(absl::string_view text) {
  if (text.size() != 2 * sizeof(Sha256Digest)) return false;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

std::uint32_t Crc32c(const void* data, std::size_t bytes, std::uint32_t crc) {
  // ISA-L takes int lengths and leaves the initial and final inversion of the register to its caller.
  constexpr std::size_t kStep = 1u << 30;
  std::uint32_t state = ~crc;
  auto* at = static_cast<unsigned char*>(const_cast<void*>(data));
  while (bytes > 0) {
    const std::size_t step = bytes < kStep ? bytes : kStep;
    state = crc32_iscsi(at, static_cast<int>(step), state);
    at += step;
    bytes -= step;
  }
  return ~state;
}

}  // namespace cairn
