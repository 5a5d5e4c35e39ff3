#include <google/protobuf/descriptor.h>

#include <charconv>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "config/yaml.h"

namespace cairn {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Text that needs no quotes in any YAML reader: a letter or slash, then letters, digits and ._/- .
bool IsPlain(absl::string_view text) {
  if (text.empty() || !(absl::ascii_isalpha(text[0]) || text[0] == '/')) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("._/-", absl::string_view(&c, 1))) return false;
  }
  for (const absl::string_view word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::EqualsIgnoreCase(text, word)) return false;
  }
  return true;
}

std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(&c, 1));
    } else if (absl::ascii_iscntrl(c)) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

// The fewest digits that read back as the same value.
template <typename T>
std::string ShortestReal(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end.ptr);
}

// The value of a scalar field; of its element `index` when it is repeated.
std::string Scalar(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& from = *message.GetReflection();
  const bool list = field.is_repeated();
#define CAIRN_GET(type) (list ? from.GetRepeated##type(message, &field, index) : from.Get##type(message, &field))
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(CAIRN_GET(Int32));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(CAIRN_GET(Int64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(CAIRN_GET(UInt32));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(CAIRN_GET(UInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ShortestReal(CAIRN_GET(Double));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return ShortestReal(CAIRN_GET(Float));
    case FieldDescriptor::CPPTYPE_BOOL:
      return CAIRN_GET(Bool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return CAIRN_GET(Enum)->name();
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = CAIRN_GET(String);
      return IsPlain(text) ? text : Quoted(text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
#undef CAIRN_GET
  return "{}";
}

bool IsShown(const Message& message, const FieldDescriptor& field) {
  const Reflection& from = *message.GetReflection();
  if (field.is_repeated()) return from.FieldSize(message, &field) > 0;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return !absl::EndsWith(from.GetEnum(message, &field)->name(), "UNSPECIFIED");
  }
  if (field.has_presence() || field.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
    return from.HasField(message, &field);
  return true;
}

std::string Block(const Message& message, int indent);

// The lines below "key:" of a repeated field.
std::string List(const Message& message, const FieldDescriptor& field, int indent) {
  const Reflection& from = *message.GetReflection();
  std::string out;
  for (int i = 0; i < from.FieldSize(message, &field); ++i) {
    std::string block;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      block = Block(from.GetRepeatedMessage(message, &field, i), indent + 2);
    }
    if (block.empty()) block = absl::StrCat(std::string(indent + 2, ' '), Scalar(message, field, i), "\n");
    block[indent] = '-';
    out += block;
  }
  return out;
}

std::string Block(const Message& message, int indent) {
  const auto& descriptor = *message.GetDescriptor();
  std::string out;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (!IsShown(message, field)) continue;
    absl::StrAppend(&out, std::string(indent, ' '), field.name(), ":");
    std::string below;
    if (field.is_repeated()) {
      below = List(message, field, indent + 2);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      below = Block(message.GetReflection()->GetMessage(message, &field), indent + 2);
    }
    if (below.empty()) {
      absl::StrAppend(&out, " ", Scalar(message, field, 0), "\n");
    } else {
      absl::StrAppend(&out, "\n", below);
    }
  }
  return out;
}

}  // namespace

std::string ToYaml(const Message& message) {
  const std::string block = Block(message, 0);
  return block.empty() ? "{}\n" : block;
}

}  // namespace cairn
