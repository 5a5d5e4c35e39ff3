// JSON from strangers: one way to read it or an error. Duplicate keys, deep nesting and floods of tiny values are
// refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

struct JsonValue;
struct JsonMember;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<JsonMember>;  // In the order of the text; keys are unique.

struct JsonValue {
  // An integer without a minus sign is uint64_t, one with it int64_t; one that fits neither is a double.
  std::variant<std::nullptr_t, bool, std::uint64_t, std::int64_t, double, std::string, JsonArray, JsonObject> value;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
  bool IsNull() const { return std::holds_alternative<std::nullptr_t>(value); }
  const JsonValue* Find(absl::string_view key) const;  // Null unless this is an object with that key.
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

struct JsonBounds {
  std::size_t depth_max;
  std::size_t values_max;
};

// INVALID_ARGUMENT says where the text stops being JSON (RFC 8259, UTF-8), or which bound or key it offends.
absl::StatusOr<JsonValue> ParseStrictJson(absl::string_view text, const JsonBounds& bounds);

// For messages: what a value is, shortly, such as `"all"`, `-3`, `a list of 2`, `null`.
std::string Describe(const JsonValue& value);

// `text` in quotes and escaped. INVALID_ARGUMENT when it is not UTF-8.
absl::StatusOr<std::string> JsonString(absl::string_view text);

}  // namespace cairn
