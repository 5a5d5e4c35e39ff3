// Which tensor of a base model an adapter means.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/base_model.h"

namespace cairn {

// A tensor of a base model: its file, and its place in that file's header.
struct BasePlace {
  std::size_t shard = 0, tensor = 0;
  friend auto operator<=>(const BasePlace&, const BasePlace&) = default;
};

class BaseNames {
 public:
  explicit BaseNames(const BaseModel& base);

  // The tensor of exactly this name. Else the only one whose name is this with other parts in front, or this name
  // without its first parts: adapters of a whole model and of its body call a layer `model.layers.0.q` and
  // `layers.0.q`. INVALID_ARGUMENT when there is none or more than one.
  absl::StatusOr<BasePlace> Find(absl::string_view name) const;

 private:
  std::vector<std::pair<std::string, BasePlace>> names_;  // Ascending.
};

// How a tensor of an adapter's file acts on the base.
struct BaseEffect {
  std::string tensor;  // The base tensor's name, as the adapter knows it.
  bool adds = false;   // True: it is added (the bias of a lora_B). False: it takes the tensor's place.
};
BaseEffect EffectOf(absl::string_view adapter_tensor);

}  // namespace cairn
