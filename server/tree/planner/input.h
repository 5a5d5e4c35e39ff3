// What a plan is made of, checked and in an order that does not depend on the caller's.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {

// The errors of MakePlan, but for ids that are there twice.
absl::Status CheckInput(const Input& input);

// Pointers to the items, ascending by `id`, which must not be empty nor there twice.
template <typename Item>
absl::StatusOr<std::vector<const Item*>> SortedById(absl::string_view what, const std::vector<Item>& items,
                                                    std::string Item::*id = &Item::id) {
  std::vector<const Item*> sorted;
  sorted.reserve(items.size());
  for (const Item& item : items) sorted.push_back(&item);
  std::sort(sorted.begin(), sorted.end(), [id](const Item* a, const Item* b) { return a->*id < b->*id; });
  if (!sorted.empty() && (sorted.front()->*id).empty()) {
    return absl::InvalidArgumentError(absl::StrCat("planner: a ", what, " without an id"));
  }
  const auto twin =
      std::adjacent_find(sorted.begin(), sorted.end(), [id](const Item* a, const Item* b) { return a->*id == b->*id; });
  if (twin == sorted.end()) return sorted;
  return absl::InvalidArgumentError(absl::StrCat("planner: ", what, " \"", (*twin)->*id, "\" is there twice"));
}

}  // namespace cairn::planner
