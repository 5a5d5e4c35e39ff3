// Entries by name of lists that ascend by it.
#pragma once

#include <algorithm>
#include <vector>

#include "absl/strings/string_view.h"
#include "adapter/lora.h"

namespace cairn {

// Null when there is none. `name_of` gives an entry's name.
template <typename T, typename Name>
const T* FindByName(const std::vector<T>& items, absl::string_view name, Name name_of) {
  const auto at = std::lower_bound(items.begin(), items.end(), name,
                                   [&](const T& item, absl::string_view key) { return name_of(item) < key; });
  return at != items.end() && name_of(*at) == name ? &*at : nullptr;
}

inline const LoraModule* FindModule(const Adapter& adapter, absl::string_view name) {
  return FindByName(adapter.modules, name, [](const LoraModule& module) -> absl::string_view { return module.name; });
}

inline const DenseTensor* FindTensor(const Adapter& adapter, absl::string_view name) {
  return FindByName(adapter.tensors, name,
                    [](const DenseTensor& tensor) -> absl::string_view { return tensor.view.name; });
}

}  // namespace cairn
