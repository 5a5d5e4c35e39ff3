// A YAML document as a plain tree with places, between the parser (document.cc) and the protobuf reader (yaml.cc).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

struct YamlNode {
  enum class Kind { kNothing, kScalar, kSequence, kMapping };
  Kind kind = Kind::kNothing;
  int line = 1, column = 1;  // From 1.
  bool quoted = false;       // A scalar in quotes is text, never a number or a boolean.
  std::string scalar;
  std::vector<YamlNode> items;  // Of a sequence; of a mapping: key, value, key, value, ... in the file's order.
};

// The only document of `text`; kNothing when it is empty. INVALID_ARGUMENT "name:line:column: what" for bad syntax and
// for what yaml.h refuses whatever the schema: anchors, aliases, tags, a second document, depth and size beyond the
// limits.
absl::StatusOr<YamlNode> ParseYaml(absl::string_view text, absl::string_view name);

// INVALID_ARGUMENT "name:line:column: what".
absl::Status YamlError(absl::string_view name, int line, int column, absl::string_view what);

}  // namespace cairn
