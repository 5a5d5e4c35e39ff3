// Kinds of layers: their names, and the names and shapes of their factors in a file.
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "adapter/lora.h"

namespace cairn {
namespace {

bool ConsumeCount(absl::string_view text, std::int64_t& out) { return absl::SimpleAtoi(text, &out) && out > 0; }

// The part behind "conv2d ": "3x3" or "3x3 groups 4".
bool ReadConv2d(absl::string_view text, Layer& layer) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  const std::vector<absl::string_view> size = absl::StrSplit(words[0], 'x');
  if (size.size() != 2 || !ConsumeCount(size[0], layer.height) || !ConsumeCount(size[1], layer.width)) return false;
  if (words.size() == 1) return true;
  return words.size() == 3 && words[1] == "groups" && ConsumeCount(words[2], layer.groups);
}

std::string FactorName(absl::string_view module, const Layer& layer, absl::string_view factor) {
  const bool embedding = layer.kind == Layer::Kind::kEmbedding;
  return absl::StrCat(kPeftPrefix, module, embedding ? ".lora_embedding_" : ".lora_", factor,
                      embedding ? "" : ".weight");
}

// Rows [first, first + rows) of a matrix, which may have no data.
TensorView Rows(const TensorView& whole, std::int64_t first, std::int64_t rows) {
  TensorView part{.name = whole.name, .dtype = whole.dtype, .shape = {rows, whole.shape[1]}, .mapping = whole.mapping};
  const std::size_t row_bytes = static_cast<std::size_t>(whole.shape[1]) * SizeOf(whole.dtype);
  if (!whole.data.empty()) part.data = whole.data.substr(first * row_bytes, rows * row_bytes);
  return part;
}

}  // namespace

std::string NameOf(const Layer& layer) {
  if (layer.kind == Layer::Kind::kLinear) return "linear";
  if (layer.kind == Layer::Kind::kEmbedding) return "embedding";
  const std::string groups = layer.groups == 1 ? "" : absl::StrCat(" groups ", layer.groups);
  return absl::StrCat("conv2d ", layer.height, "x", layer.width, groups);
}

absl::StatusOr<Layer> LayerFromName(absl::string_view name) {
  Layer layer;
  if (name == "embedding") layer.kind = Layer::Kind::kEmbedding;
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, "conv2d ") && ReadConv2d(rest, layer)) layer.kind = Layer::Kind::kConv2d;
  if (NameOf(layer) == name) return layer;
  return absl::InvalidArgumentError(
      absl::StrCat("layer: expected \"linear\", \"embedding\" or \"conv2d HxW\", perhaps with \" groups N\", got \"",
                   absl::CHexEscape(name.substr(0, 64)), "\""));
}

std::string LoraAName(absl::string_view module, const Layer& layer) { return FactorName(module, layer, "A"); }
std::string LoraBName(absl::string_view module, const Layer& layer) { return FactorName(module, layer, "B"); }

std::vector<std::int64_t> LoraAShape(const Layer& layer, std::int64_t d_in, std::int64_t rank) {
  if (layer.kind != Layer::Kind::kConv2d) return {rank, d_in};
  return {rank, d_in / (layer.height * layer.width), layer.height, layer.width};
}

std::vector<std::int64_t> LoraBShape(const Layer& layer, std::int64_t d_out, std::int64_t rank) {
  if (layer.kind != Layer::Kind::kConv2d) return {d_out, rank};
  return {d_out, rank / layer.groups, 1, 1};
}

LoraModule GroupOf(const LoraModule& module, std::int64_t group) {
  const std::int64_t rank = module.rank / module.layer.groups;
  const std::int64_t d_out = module.d_out / module.layer.groups;
  LoraModule part = module;
  part.layer.groups = 1;
  part.rank = rank;
  part.d_out = d_out;
  part.a = Rows(module.a, group * rank, rank);
  part.b = Rows(module.b, group * d_out, d_out);
  return part;
}

}  // namespace cairn
