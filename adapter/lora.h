// An adapter as views: LoRA modules, delta = scale * B * A with A [rank, d_in] and B [d_out, rank], and tensors by
// name. (Hu et al., LoRA, arXiv 2106.09685; rank-stabilised scale: Kalajdzievski, arXiv 2312.03732.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/peft_config.h"
#include "adapter/safetensors.h"

namespace cairn {

// What kind of layer a module adapts, as far as the shapes of factors and weight depend on it. All of them are
// delta = scale * B * A, as matrices:
//
//   kind        lora_A in the file          lora_B in the file       base weight
//   kLinear     [rank, d_in]                [d_out, rank]            [d_out, d_in], or transposed with fan_in_fan_out
//   kEmbedding  [rank, d_in]                [d_out, rank]            [d_in, d_out]: d_in entries of d_out values
//   kConv2d     [rank, channels, h, w]      [d_out, rank/groups, 1, 1]   [d_out, channels, h, w]; d_in = channels*h*w
//
// With groups, the rank units and the rows of B fall into `groups` equal runs, and run g of B meets run g of A only:
// the delta is `groups` independent products, one below the other.
struct Layer {
  enum class Kind : std::uint8_t { kLinear, kEmbedding, kConv2d };
  Kind kind = Kind::kLinear;
  std::int64_t height = 1, width = 1, groups = 1;  // kConv2d only.
  friend bool operator==(const Layer&, const Layer&) = default;
};
std::string NameOf(const Layer& layer);  // "linear", "embedding", "conv2d 3x3", "conv2d 3x3 groups 4".
absl::StatusOr<Layer> LayerFromName(absl::string_view name);  // The reverse. INVALID_ARGUMENT for other text.

struct LoraModule {
  std::string name;  // Path in the base model, without PEFT's "base_model.model." prefix.
  Layer layer;
  std::int64_t d_in = 0, d_out = 0, rank = 0;
  double scale = 1;
  // As matrices, whatever the file's number of dimensions: a [rank, d_in], b [d_out, rank / groups].
  TensorView a, b;
  // Fed-SB and LoRA-XS: [rank, rank], delta = scale * B * core * A, from the key `default_lora_latent_mapping.weight`
  // or `lora_latent_mapping.weight` of a linear module. Only the rule core_mean takes such modules.
  std::optional<TensorView> core;
};

// Group g of a module as a module without groups. Its factors are runs of rows of the whole ones.
LoraModule GroupOf(const LoraModule& module, std::int64_t group);

// A tensor that is no LoRA factor and is averaged by itself: a trained bias, a module of modules_to_save (both absolute
// values), the bias of a lora_B (`scale` = its module's: it is part of the delta), or any tensor of another kind of
// adapter.
struct DenseTensor {
  TensorView view;  // With the name that it has in the file.
  double scale = 1;
  bool absolute = true;  // False: a delta, zero for a client that lacks it.
};

struct Adapter {
  PeftConfig config;
  std::vector<LoraModule> modules;   // Ascending by name. Empty when the adapter is no LoRA.
  std::vector<DenseTensor> tensors;  // Ascending by name.
};

// Tensor names of a module in a PEFT file: base_model.model.<module>.lora_A.weight, or .lora_embedding_A.
std::string LoraAName(absl::string_view module, const Layer& layer = {});
std::string LoraBName(absl::string_view module, const Layer& layer = {});
// Shapes of its tensors in a PEFT file.
std::vector<std::int64_t> LoraAShape(const Layer& layer, std::int64_t d_in, std::int64_t rank);
std::vector<std::int64_t> LoraBShape(const Layer& layer, std::int64_t d_out, std::int64_t rank);

// The module's prefix in a PEFT file, "base_model.model.".
inline constexpr absl::string_view kPeftPrefix = "base_model.model.";

// What a header and a config say together, before the tensor bytes are there. `data` of the views is empty.
// For a config of kind kLora: INVALID_ARGUMENT for a tensor that is neither factor nor core of a module nor one that
// the config announces (bias, lora_bias, modules_to_save), for a full state dict (the message says so when no tensor
// is a factor), a factor without its partner, a rank that differs from the config's, factors that are not
// floating-point, or a shape that is none of Layer's.
// For other kinds every tensor is a DenseTensor.
absl::StatusOr<Adapter> DescribeAdapter(const SafetensorsHeader& header, const PeftConfig& config);

// The same with data. The views point into `bytes`.
absl::StatusOr<Adapter> ParseAdapter(absl::string_view bytes, const PeftConfig& config);
// The same from tensors that may lie in several files.
absl::StatusOr<Adapter> AdapterOf(const std::vector<TensorView>& tensors, const PeftConfig& config);

// What the adapters of a federation have in common.
struct ModuleSpec {
  std::string name;
  std::int64_t d_in = 0, d_out = 0;
  Layer layer;
  friend bool operator==(const ModuleSpec&, const ModuleSpec&) = default;
};
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};
struct AdapterSpec {
  std::string base_model;           // Empty: not compared.
  std::vector<ModuleSpec> modules;  // Ascending by name.
  std::vector<TensorSpec> tensors;  // Ascending by name.
};
AdapterSpec SpecOf(const Adapter& adapter);

// Everything that any of the two has. INVALID_ARGUMENT, with the name, when both have a module or tensor of other
// dimensions, or both name a base model and these differ.
absl::StatusOr<AdapterSpec> UnionOf(const AdapterSpec& x, const AdapterSpec& y);

// INVALID_ARGUMENT unless there is a module or a tensor, dimensions are positive and within limits, and names are
// unique and ascending.
absl::Status CheckSpec(const AdapterSpec& spec);

// INVALID_ARGUMENT that names the module, the tensor, what was expected and what came, unless every module and tensor
// of `adapter` is one of `spec` with the same dimensions, and the base model is the same where both name one. The
// adapter may lack some: it does not change them.
absl::Status CheckAgainstSpec(const Adapter& adapter, const AdapterSpec& spec);

// INVALID_ARGUMENT that names the first tensor and index with a NaN or an infinity.
absl::Status CheckFinite(const Adapter& adapter);

}  // namespace cairn
