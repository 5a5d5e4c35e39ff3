// Whether two adapters' configs give their tensors the same meaning.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cairn {

// A key of adapter_config.json whose values differ, as JSON of at most some 100 characters; "nothing" for an absent
// key.
struct ConfigDifference {
  std::string key, x, y;
};

// The first key, in alphabetical order, by which two documents differ, other than those that change nothing of what the
// adapter does: the task, versions, dropouts and the like. The order of a list of texts does not count (PEFT writes
// sets), and an absent key is the same as one that is null, false or empty. REQUIRES: both are JSON objects.
std::optional<ConfigDifference> DifferenceOf(absl::string_view x, absl::string_view y);

}  // namespace cairn
