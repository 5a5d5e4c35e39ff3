// Which tensors of a base model an adapter means.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/tensor_files.h"

namespace cairn {

// Opens a model: a .safetensors file, an index of shards, or the folder of either.
absl::StatusOr<TensorFiles> OpenBaseModel(const std::filesystem::path& path);

// A tensor of the base, by the name that the adapter's paths give it.
struct WantedTensor {
  std::string name;   // "model.layers.0.q.weight"
  std::string owner;  // What means it, for messages: `module "model.layers.0.q"`.
};

// The place of each in base.tensors(). Either all names are the base's own; or all are with one and the same prefix
// dropped, or put in front: adapters of a whole model and of its body call a layer `model.layers.0.q` and `layers.0.q`.
// A prefix with a number in it would be one of several layers, and is none. INVALID_ARGUMENT, with an owner, when
// nothing fits all, or two prefixes do.
absl::StatusOr<std::vector<std::size_t>> FindInBase(const TensorFiles& base, const std::vector<WantedTensor>& wanted);

// How a tensor of an adapter's file acts on the base.
struct BaseEffect {
  std::string tensor;  // The base tensor's name, as the adapter knows it.
  bool adds = false;   // True: it is added (the bias of a lora_B). False: it takes the tensor's place.
};
BaseEffect EffectOf(absl::string_view adapter_tensor);

}  // namespace cairn
