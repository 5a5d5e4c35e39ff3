#include "server/store/shared/object_key.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

constexpr std::size_t kHexBytes = 2 * sizeof(ObjectKey);

template <typename T>
T Number(absl::string_view digits) {
  T value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

}  // namespace

std::string ObjectKey::ToHex() const {
  return absl::StrCat(absl::Hex(entry, absl::kZeroPad8), absl::Hex(generation, absl::kZeroPad8),
                      absl::Hex(check, absl::kZeroPad16));
}

absl::StatusOr<ObjectKey> ObjectKey::FromHex(absl::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != kHexBytes || !std::all_of(text.begin(), text.end(), is_digit)) {
    return absl::InvalidArgumentError(absl::StrCat("object key \"", absl::CHexEscape(text.substr(0, kHexBytes)),
                                                   "\": expected ", kHexBytes, " lower-case hexadecimal characters"));
  }
  return ObjectKey{Number<std::uint32_t>(text.substr(0, 8)), Number<std::uint32_t>(text.substr(8, 8)),
                   Number<std::uint64_t>(text.substr(16))};
}

}  // namespace cairn
