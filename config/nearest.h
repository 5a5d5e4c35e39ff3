// "Did you mean": the nearest known name by edit distance.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cairn {

// Insertions, deletions and replacements of one character that turn `a` into `b` (Levenshtein).
std::size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate nearest to `name`, or "" when none is within a third of its length (at least 1, at most 4).
std::string Nearest(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace cairn
