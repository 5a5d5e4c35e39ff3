#include "simulation/model/model_config.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

struct Field {
  const char* name;
  std::int64_t ModelConfig::*value;
  std::int64_t max;
};
constexpr Field kFields[] = {
    {"width", &ModelConfig::width, 4096},
    {"layers", &ModelConfig::layers, 64},
    {"heads", &ModelConfig::heads, 64},
    {"context", &ModelConfig::context, 4096},
};

void AddLayer(const ModelConfig& config, std::int64_t layer, std::vector<WeightSpec>& out) {
  const std::string prefix = absl::StrCat("layers.", layer, ".");
  const std::int64_t d = config.width;
  for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
    out.push_back({absl::StrCat(prefix, "attn.", name, ".weight"), {d, d}, true});
  }
  out.push_back({absl::StrCat(prefix, "mlp.up_proj.weight"), {config.mlp_width(), d}, true});
  out.push_back({absl::StrCat(prefix, "mlp.down_proj.weight"), {d, config.mlp_width()}, true});
  out.push_back({absl::StrCat(prefix, "attn_norm.weight"), {d}});
  out.push_back({absl::StrCat(prefix, "mlp_norm.weight"), {d}});
}

}  // namespace

absl::Status CheckModelConfig(const ModelConfig& config) {
  for (const Field& field : kFields) {
    const std::int64_t value = config.*field.value;
    if (value < 1 || value > field.max) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.", field.name, ": expected 1 to ", field.max, ", got ", value));
    }
  }
  if (config.width % config.heads != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.width: expected a multiple of model.heads (", config.heads, "), got ", config.width));
  }
  return absl::OkStatus();
}

std::string WeightSpec::module() const { return std::string(absl::StripSuffix(name, ".weight")); }

std::vector<WeightSpec> WeightsOf(const ModelConfig& config) {
  std::vector<WeightSpec> out = {{"embed.weight", {kVocabulary, config.width}},
                                 {"position.weight", {config.context, config.width}},
                                 {"final_norm.weight", {config.width}}};
  for (std::int64_t layer = 0; layer < config.layers; ++layer) AddLayer(config, layer, out);
  std::sort(out.begin(), out.end(), [](const WeightSpec& x, const WeightSpec& y) { return x.name < y.name; });
  return out;
}

std::vector<std::string> TargetModules() { return {"down_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}; }

std::map<std::string, std::string> ToMetadata(const ModelConfig& config) {
  std::map<std::string, std::string> metadata;
  for (const Field& field : kFields) metadata[field.name] = absl::StrCat(config.*field.value);
  return metadata;
}

absl::StatusOr<ModelConfig> ModelConfigFromMetadata(const std::map<std::string, std::string>& metadata) {
  ModelConfig config;
  for (const Field& field : kFields) {
    const auto found = metadata.find(field.name);
    const std::string text = found == metadata.end() ? "nothing" : found->second;
    if (!absl::SimpleAtoi(text, &(config.*field.value))) {
      return absl::InvalidArgumentError(
          absl::StrCat("base model metadata \"", field.name, "\": expected a number, got ", text));
    }
  }
  CAIRN_RETURN_IF_ERROR(CheckModelConfig(config));
  return config;
}

}  // namespace cairn
