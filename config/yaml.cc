#include "config/yaml.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "config/document.h"
#include "config/nearest.h"

namespace cairn {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// What a node is, for the "got" half of a message.
std::string Describe(const YamlNode& node) {
  constexpr std::size_t kShownBytesMax = 80;
  switch (node.kind) {
    case YamlNode::Kind::kNothing:
      return "nothing";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMapping:
      return "a mapping";
    case YamlNode::Kind::kScalar:
      break;
  }
  const bool cut = node.scalar.size() > kShownBytesMax;
  return absl::StrCat("\"", node.scalar.substr(0, kShownBytesMax), cut ? "…\"" : "\"");
}

std::vector<std::string> FieldNames(const Descriptor& descriptor) {
  std::vector<std::string> names;
  for (int i = 0; i < descriptor.field_count(); ++i) names.push_back(descriptor.field(i)->name());
  return names;
}

bool IsUnspecified(const EnumValueDescriptor& value) { return absl::EndsWith(value.name(), "UNSPECIFIED"); }

std::string AcceptedValues(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (!IsUnspecified(*type.value(i))) names.push_back(type.value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

class Reader {
 public:
  Reader(absl::string_view file, const StringCheck& check, YamlPlaces* places)
      : file_(file), check_(check), places_(places) {}

  absl::Status ReadMessage(const YamlNode& node, const std::string& path, Message* message) {
    if (node.kind != YamlNode::Kind::kMapping) return Expected(node, path, "a mapping");
    std::set<std::string> seen;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      CAIRN_RETURN_IF_ERROR(ReadEntry(node.items[i], node.items[i + 1], path, &seen, message));
    }
    return absl::OkStatus();
  }

 private:
  void Remember(const YamlNode& node, const std::string& path) {
    if (places_ != nullptr) places_->of[path] = {node.line, node.column};
  }

  absl::Status Error(const YamlNode& node, const std::string& path, absl::string_view what) const {
    const std::string key = path.empty() ? "" : absl::StrCat("key \"", path, "\": ");
    return YamlError(file_, node.line, node.column, absl::StrCat(key, what));
  }
  absl::Status Expected(const YamlNode& node, const std::string& path, absl::string_view what) const {
    return Error(node, path, absl::StrCat("expected ", what, ", got ", Describe(node)));
  }

  absl::Status ReadEntry(const YamlNode& key, const YamlNode& value, const std::string& parent,
                         std::set<std::string>* seen, Message* message) {
    if (key.kind != YamlNode::Kind::kScalar) return Expected(key, parent, "a name as key");
    const std::string path = parent.empty() ? key.scalar : absl::StrCat(parent, ".", key.scalar);
    const Descriptor& descriptor = *message->GetDescriptor();
    const FieldDescriptor* field = descriptor.FindFieldByName(key.scalar);
    if (field == nullptr) return UnknownKey(key, path, descriptor);
    if (!seen->insert(key.scalar).second) return Error(key, path, "duplicate key");
    Remember(value.kind == YamlNode::Kind::kScalar ? value : key, path);
    if (const auto* oneof = field->real_containing_oneof()) {
      for (int i = 0; i < oneof->field_count(); ++i) {
        const std::string& other = oneof->field(i)->name();
        if (other != key.scalar && seen->count(other) != 0) {
          return Error(key, path, absl::StrCat("expected only one of its kind, got \"", other, "\" as well"));
        }
      }
    }
    return field->is_repeated() ? ReadList(value, path, *field, message) : ReadField(value, path, *field, message);
  }

  absl::Status UnknownKey(const YamlNode& key, const std::string& path, const Descriptor& descriptor) const {
    const std::vector<std::string> names = FieldNames(descriptor);
    const std::string nearest = Nearest(key.scalar, names);
    if (!nearest.empty()) return Error(key, path, absl::StrCat("unknown key; did you mean \"", nearest, "\"?"));
    return Error(key, path, absl::StrCat("unknown key; expected one of ", absl::StrJoin(names, ", ")));
  }

  absl::Status ReadList(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message* message) {
    if (field.is_map()) return Error(node, path, "maps are not supported by this reader");
    if (node.kind != YamlNode::Kind::kSequence) return Expected(node, path, "a list");
    message->GetReflection()->ClearField(message, &field);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const std::string item = absl::StrCat(path, "[", i, "]");
      Remember(node.items[i], item);
      CAIRN_RETURN_IF_ERROR(ReadField(node.items[i], item, field, message));
    }
    return absl::OkStatus();
  }

  // Sets the field, or appends to it when it is repeated.
  absl::Status ReadField(const YamlNode& node, const std::string& path, const FieldDescriptor& field,
                         Message* message) {
    const Reflection& to = *message->GetReflection();
    const bool add = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return ReadMessage(node, path, add ? to.AddMessage(message, &field) : to.MutableMessage(message, &field));
      case FieldDescriptor::CPPTYPE_STRING:
        return ReadString(node, path, field, message);
      case FieldDescriptor::CPPTYPE_ENUM:
        return ReadEnum(node, path, field, message);
      case FieldDescriptor::CPPTYPE_BOOL:
        return ReadBool(node, path, field, message);
      case FieldDescriptor::CPPTYPE_INT32:
        return ReadInteger(node, path, field, message, &Reflection::SetInt32, &Reflection::AddInt32);
      case FieldDescriptor::CPPTYPE_INT64:
        return ReadInteger(node, path, field, message, &Reflection::SetInt64, &Reflection::AddInt64);
      case FieldDescriptor::CPPTYPE_UINT32:
        return ReadInteger(node, path, field, message, &Reflection::SetUInt32, &Reflection::AddUInt32);
      case FieldDescriptor::CPPTYPE_UINT64:
        return ReadInteger(node, path, field, message, &Reflection::SetUInt64, &Reflection::AddUInt64);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return ReadReal(node, path, field, message, &Reflection::SetDouble, &Reflection::AddDouble);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return ReadReal(node, path, field, message, &Reflection::SetFloat, &Reflection::AddFloat);
    }
    return Error(node, path, "a field type that is not supported by this reader");
  }

  absl::Status ReadString(const YamlNode& node, const std::string& path, const FieldDescriptor& field,
                          Message* message) {
    if (field.type() == FieldDescriptor::TYPE_BYTES) return Error(node, path, "bytes are not supported by this reader");
    if (node.kind != YamlNode::Kind::kScalar) return Expected(node, path, "text");
    if (check_ != nullptr) {
      const absl::Status judged = check_(field, node.scalar);
      if (!judged.ok()) return Error(node, path, judged.message());
    }
    Put(field, message, &Reflection::SetString, &Reflection::AddString, node.scalar);
    return absl::OkStatus();
  }

  absl::Status ReadEnum(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message* message) {
    const EnumDescriptor& type = *field.enum_type();
    const EnumValueDescriptor* value =
        node.kind == YamlNode::Kind::kScalar ? type.FindValueByName(node.scalar) : nullptr;
    if (value == nullptr || IsUnspecified(*value)) {
      return Expected(node, path, absl::StrCat("one of ", AcceptedValues(type)));
    }
    Put(field, message, &Reflection::SetEnum, &Reflection::AddEnum, value);
    return absl::OkStatus();
  }

  absl::Status ReadBool(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message* message) {
    const bool plain = node.kind == YamlNode::Kind::kScalar && !node.quoted;
    if (!plain || (node.scalar != "true" && node.scalar != "false")) return Expected(node, path, "true or false");
    Put(field, message, &Reflection::SetBool, &Reflection::AddBool, node.scalar == "true");
    return absl::OkStatus();
  }

  template <typename T>
  using Setter = void (Reflection::*)(Message*, const FieldDescriptor*, T) const;

  template <typename T, typename V>
  void Put(const FieldDescriptor& field, Message* message, Setter<T> set, Setter<T> add, V&& value) {
    (message->GetReflection()->*(field.is_repeated() ? add : set))(message, &field, std::forward<V>(value));
  }

  template <typename T>
  absl::Status ReadInteger(const YamlNode& node, const std::string& path, const FieldDescriptor& field,
                           Message* message, Setter<T> set, Setter<T> add) {
    T value = 0;
    if (node.kind != YamlNode::Kind::kScalar || node.quoted || !absl::SimpleAtoi(node.scalar, &value)) {
      using Limits = std::numeric_limits<T>;
      return Expected(node, path, absl::StrCat("a whole number from ", Limits::min(), " to ", Limits::max()));
    }
    Put(field, message, set, add, value);
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status ReadReal(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message* message,
                        Setter<T> set, Setter<T> add) {
    double value = 0;
    const bool number = node.kind == YamlNode::Kind::kScalar && !node.quoted && absl::SimpleAtod(node.scalar, &value);
    if (!number || !std::isfinite(static_cast<T>(value))) return Expected(node, path, "a finite number");
    Put(field, message, set, add, static_cast<T>(value));
    return absl::OkStatus();
  }

  const absl::string_view file_;
  const StringCheck& check_;
  YamlPlaces* const places_;  // May be null.
};

}  // namespace

absl::Status LoadYamlText(absl::string_view text, absl::string_view name, Message* message, const StringCheck& check,
                          YamlPlaces* places) {
  if (places != nullptr) *places = {std::string(name), {}};
  CAIRN_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, name));
  if (root.kind == YamlNode::Kind::kNothing) return absl::OkStatus();
  std::unique_ptr<Message> read(message->New());
  read->CopyFrom(*message);
  CAIRN_RETURN_IF_ERROR(Reader(name, check, places).ReadMessage(root, "", read.get()));
  message->GetReflection()->Swap(message, read.get());
  return absl::OkStatus();
}

absl::Status LoadYamlFile(const std::filesystem::path& path, Message* message, const StringCheck& check,
                          YamlPlaces* places) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kYamlBytesMax));
  return LoadYamlText(text, path.string(), message, check, places);
}

}  // namespace cairn
