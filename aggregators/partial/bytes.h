// Little-endian fields of a partial sum's index.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"

namespace cairn::internal {

static_assert(std::endian::native == std::endian::little);

class ByteWriter {
 public:
  template <typename T>
  void Number(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  void Number128(absl::uint128 value) {
    Number(absl::Uint128Low64(value));
    Number(absl::Uint128High64(value));
  }
  void Text(absl::string_view text) {
    Number(static_cast<std::uint64_t>(text.size()));
    Raw(text);
  }
  void Raw(absl::string_view bytes) { bytes_.append(bytes.data(), bytes.size()); }
  std::string Take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Never reads past the end: then everything is 0 or empty, and failed() says so.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Number() {
    T value{};
    const absl::string_view raw = Raw(sizeof value);
    if (!failed_) std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }
  absl::uint128 Number128() {
    const auto low = Number<std::uint64_t>();
    return absl::MakeUint128(Number<std::uint64_t>(), low);
  }
  absl::string_view Text() { return Raw(Number<std::uint64_t>()); }
  absl::string_view Raw(std::uint64_t size) {
    if (size > rest_.size()) Fail();
    if (failed_) return {};
    const absl::string_view raw = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return raw;
  }
  // A count of things that take `least` bytes each, 1 or more: not more than there is room for.
  std::uint64_t Count(std::uint64_t least) {
    const auto count = Number<std::uint64_t>();
    if (count > rest_.size() / least) Fail();
    return failed_ ? 0 : count;
  }
  std::size_t left() const { return rest_.size(); }
  bool failed() const { return failed_; }

 private:
  void Fail() {
    failed_ = true;
    rest_ = {};
  }

  absl::string_view rest_;
  bool failed_ = false;
};

}  // namespace cairn::internal
