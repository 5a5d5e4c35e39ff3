// Which tensor of a base model an adapter means.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/tensor_files.h"

namespace cairn {

// Opens a model: a .safetensors file, an index of shards, or the folder of either.
absl::StatusOr<TensorFiles> OpenBaseModel(const std::filesystem::path& path);

class BaseNames {
 public:
  explicit BaseNames(const TensorFiles& base) : base_(base) {}

  // Which of the base's tensors is meant: the one of exactly this name. Else the only one whose name is this with other
  // parts in front, or this name without its first parts: adapters of a whole model and of its body call a layer
  // `model.layers.0.q` and `layers.0.q`. INVALID_ARGUMENT when there is none or more than one.
  absl::StatusOr<std::size_t> Find(absl::string_view name) const;

 private:
  const TensorFiles& base_;
};

// How a tensor of an adapter's file acts on the base.
struct BaseEffect {
  std::string tensor;  // The base tensor's name, as the adapter knows it.
  bool adds = false;   // True: it is added (the bias of a lora_B). False: it takes the tensor's place.
};
BaseEffect EffectOf(absl::string_view adapter_tensor);

}  // namespace cairn
