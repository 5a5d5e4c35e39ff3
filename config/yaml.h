// YAML to and from any protobuf message, by reflection. A key is a field's name; what a file does not name keeps its
// value.
//
// The first thing wrong is an INVALID_ARGUMENT that says where and what:
//   federation.yaml:7:10: key "federations[0].clients.min": expected a whole number from 0 to 4294967295, got "two"
// Refused besides wrong types: unknown keys (with the nearest known one), duplicate keys, enum values that are not in
// the schema or are its *_UNSPECIFIED, two members of one oneof, anchors and aliases, a second document, and anything
// beyond the limits below. Not supported in a schema: map, bytes and group fields.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cairn {

inline constexpr std::size_t kYamlBytesMax = 1 << 20;  // One file.
inline constexpr int kYamlDepthMax = 32;               // Mappings and sequences inside one another.

// Judges the value of a string field beyond its type, as in "512MiB". Its message follows 'key "...": ' in the error.
using StringCheck =
    std::function<absl::Status(const google::protobuf::FieldDescriptor& field, absl::string_view value)>;

// Where a file names what, for errors that are found later. By the keys of errors, as in "federations[0].clients.min":
// the place of the value; of the key where the value is a mapping or a list; of an element of a list its own.
struct YamlPlaces {
  struct Place {
    int line = 1, column = 1;  // From 1.
  };
  std::string file;
  std::map<std::string, Place> of;
};

// Sets the fields of `message` that the file names; lists are replaced. On error `message` is unchanged.
// NOT_FOUND or another file error: as base/files.h. INVALID_ARGUMENT: as above.
absl::Status LoadYamlFile(const std::filesystem::path& path, google::protobuf::Message* message,
                          const StringCheck& check = nullptr, YamlPlaces* places = nullptr);
// The same from memory; `name` stands for the file in errors.
absl::Status LoadYamlText(absl::string_view text, absl::string_view name, google::protobuf::Message* message,
                          const StringCheck& check = nullptr, YamlPlaces* places = nullptr);

// `message` as YAML that LoadYamlText reads back to an equal message. Empty strings, lists and messages that are not
// set, and unspecified enums are left out; numbers and booleans are always there.
std::string ToYaml(const google::protobuf::Message& message);

}  // namespace cairn
