#include "adapter/lora_keys.h"

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "adapter/lora.h"

namespace cairn {
namespace {

struct Suffix {
  absl::string_view text;
  LoraPart part;
};
constexpr Suffix kSuffixes[] = {
    {"lora_A.weight", LoraPart::kA},
    {"lora_B.weight", LoraPart::kB},
    {"lora_embedding_A", LoraPart::kEmbeddingA},
    {"lora_embedding_B", LoraPart::kEmbeddingB},
    {"lora_latent_mapping.weight", LoraPart::kCore},
    {"default_lora_latent_mapping.weight", LoraPart::kCore},
    {"lora_B.bias", LoraPart::kBBias},
};

// PEFT trains every module whose path ends with an entry, be it in the middle of a word ("head" is also lm_head), and
// saves all that is inside.
bool IsInside(absl::string_view path, absl::string_view entry) {
  for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1)) {
    if (absl::EndsWith(path.substr(0, dot), entry)) return true;
  }
  return false;
}

}  // namespace

std::optional<LoraKey> ParseLoraKey(absl::string_view tensor) {
  if (!absl::ConsumePrefix(&tensor, kPeftPrefix)) return std::nullopt;
  for (const Suffix& suffix : kSuffixes) {
    absl::string_view module = tensor;
    if (absl::ConsumeSuffix(&module, suffix.text) && absl::ConsumeSuffix(&module, ".") && !module.empty()) {
      return LoraKey{module, suffix.part};
    }
  }
  return std::nullopt;
}

absl::string_view NameOf(LoraPart part) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.part == part) return suffix.text;
  }
  return "";
}

bool IsAnnounced(absl::string_view path, const PeftConfig& config) {
  if (config.bias != PeftConfig::Bias::kNone && absl::EndsWith(path, ".bias")) return true;
  // PEFT trains and saves with "all" whatever has "bias" in its name: T5's relative_attention_bias.weight, say.
  if (config.bias == PeftConfig::Bias::kAll && absl::StrContains(path, "bias")) return true;
  for (const std::string& entry : config.modules_to_save) {
    if (IsInside(path, entry)) return true;
  }
  return false;
}

}  // namespace cairn
