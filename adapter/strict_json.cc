#include "adapter/strict_json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using Json = nlohmann::json;

// Builds the value from the parser's events. nlohmann's own tree would silently keep the last of two equal keys.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonBounds& bounds) : bounds_(bounds) {}

  bool null() override { return Add({nullptr}); }
  bool boolean(bool value) override { return Add({value}); }
  bool number_integer(number_integer_t value) override { return Add({std::int64_t{value}}); }
  bool number_unsigned(number_unsigned_t value) override { return Add({std::uint64_t{value}}); }
  bool number_float(number_float_t value, const string_t&) override { return Add({double{value}}); }
  bool string(string_t& value) override { return Add({std::move(value)}); }
  bool binary(binary_t&) override { return Fail("binary data"); }  // Not in JSON text.

  bool start_object(std::size_t) override { return Open({JsonObject{}}); }
  bool start_array(std::size_t) override { return Open({JsonArray{}}); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& key) override {
    if (!open_.back().AddKey(key)) return Fail(absl::StrCat("duplicate key ", Quote(key)));
    open_.back().key = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("not JSON at byte ", position));
  }

  absl::StatusOr<JsonValue> Take() && {
    if (!status_.ok()) return status_;
    return std::move(root_);
  }

 private:
  // An array or object that is not closed yet.
  struct Level {
    JsonValue value;
    std::string key;                       // Of the member whose value comes next.
    std::unordered_set<std::string> keys;  // All keys so far, once there are too many to compare with each.

    // False when the object has the key already. Most objects are small, and comparing is faster than hashing.
    bool AddKey(const std::string& key) {
      constexpr std::size_t kCompared = 8;
      const auto& members = std::get<JsonObject>(value.value);
      if (members.size() < kCompared) return value.Find(key) == nullptr;
      if (members.size() == kCompared) {
        for (const JsonMember& member : members) keys.insert(member.key);
      }
      return keys.insert(key).second;
    }
  };

  static std::string Quote(absl::string_view text) {
    return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 128)), "\"");
  }
  bool Fail(absl::string_view message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
    return false;
  }
  bool Open(JsonValue value) {
    if (open_.size() >= bounds_.depth_max) return Fail(absl::StrCat("nested deeper than ", bounds_.depth_max));
    open_.push_back({std::move(value)});
    return true;
  }
  bool Close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return Add(std::move(value));
  }
  bool Add(JsonValue value) {
    if (++values_ > bounds_.values_max) return Fail(absl::StrCat("more than ", bounds_.values_max, " values"));
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Level& level = open_.back();
    if (auto* object = std::get_if<JsonObject>(&level.value.value)) {
      object->push_back({std::move(level.key), std::move(value)});
    } else {
      std::get<JsonArray>(level.value.value).push_back(std::move(value));
    }
    return true;
  }

  const JsonBounds bounds_;
  std::vector<Level> open_;
  JsonValue root_;
  std::size_t values_ = 0;
  absl::Status status_;
};

struct Describer {
  std::string operator()(std::nullptr_t) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::uint64_t value) const { return absl::StrCat(value); }
  std::string operator()(std::int64_t value) const { return absl::StrCat(value); }
  std::string operator()(double value) const { return absl::StrCat(value); }
  std::string operator()(const std::string& value) const {
    return absl::StrCat("\"", absl::CHexEscape(value.substr(0, 64)), value.size() > 64 ? "..." : "", "\"");
  }
  std::string operator()(const JsonArray& value) const { return absl::StrCat("a list of ", value.size()); }
  std::string operator()(const JsonObject& value) const {
    return absl::StrCat("an object with ", value.size(), value.size() == 1 ? " key" : " keys");
  }
};

}  // namespace

const JsonValue* JsonValue::Find(absl::string_view key) const {
  if (const auto* object = As<JsonObject>()) {
    for (const auto& [name, member] : *object) {
      if (name == key) return &member;
    }
  }
  return nullptr;
}

absl::StatusOr<JsonValue> ParseStrictJson(absl::string_view text, const JsonBounds& bounds) {
  // The parser would take a NUL for the end of the text, and skip a byte order mark.
  if (const std::size_t nul = text.find('\0'); nul != text.npos) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON at byte ", nul + 1));
  }
  if (!text.empty() && text.front() == '\xef') return absl::InvalidArgumentError("not JSON at byte 1");
  Builder builder(bounds);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).Take();
}

std::string Describe(const JsonValue& value) { return std::visit(Describer{}, value.value); }

absl::StatusOr<std::string> JsonString(absl::string_view text) {
  try {
    return Json(std::string(text)).dump();
  } catch (const Json::exception&) {
    return absl::InvalidArgumentError(absl::StrCat("not UTF-8: \"", absl::CHexEscape(text.substr(0, 128)), "\""));
  }
}

}  // namespace cairn
