#include "adapter/adapter_kind.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

// Whose trained values enter the model linearly, or nearly: vectors that scale activations, prompts, prefixes, norms,
// and sparse or spectral coefficients of a weight's change.
constexpr absl::string_view kAveraged[] = {
    "IA3",
    "PREFIX_TUNING",
    "PROMPT_TUNING",
    "P_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "ADAPTION_PROMPT",
    "LN_TUNING",
    "VERA",
    "FOURIERFT",
    "TRAINABLE_TOKENS",
    "SHIRA",
    "WAVEFT",
    "C3A",
};

struct Product {
  absl::string_view peft_type, what;
};
constexpr Product kBilinear[] = {
    {"LOHA", "an elementwise product of two products of trained factors"},
    {"LOKR", "a Kronecker product of trained factors"},
    {"ADALORA", "a product of three trained factors, with ranks pruned in training"},
    {"OFT", "a rotation, and means of rotations are none"},
    {"BOFT", "a product of rotations, and means of rotations are none"},
    {"HRA", "a product of reflections, and means of reflections are none"},
    {"POLY", "trained routes between products of trained factors"},
    {"XLORA", "trained routes between several LoRA adapters"},
    {"VBLORA", "choices from a trained bank of vectors"},
    {"RANDLORA", "products of trained diagonals with fixed factors on both sides"},
};

// Options of LoRA that give the adapter parts or a meaning beyond scale * B * A.
constexpr absl::string_view kBeyondLora[] = {
    "layer_replication", "trainable_token_indices", "target_parameters", "alora_invocation_tokens",
    "arrow_config",      "monteclora_config",       "velora_config",
};
// Initialisations that leave the base model's weights as they are.
constexpr absl::string_view kPlainInitialisations[] = {"gaussian", "orthogonal", "eva"};

template <typename Range>
bool Contains(const Range& range, absl::string_view text) {
  return std::find(std::begin(range), std::end(range), text) != std::end(range);
}

bool IsOff(const JsonValue& value) {
  if (value.IsNull()) return true;
  if (const auto* flag = value.As<bool>()) return !*flag;
  if (const auto* list = value.As<JsonArray>()) return list->empty();
  if (const auto* object = value.As<JsonObject>()) return object->empty();
  return false;
}

// PEFT names the switches of LoRA's variants use_dora, use_qalora and so on; only use_rslora is about the scale alone.
bool IsVariantSwitch(absl::string_view key) {
  return (absl::StartsWith(key, "use_") && key != "use_rslora") || Contains(kBeyondLora, key);
}

// PiSSA, OLoRA, LoftQ and the like subtract the first factors from the base.
bool ChangesTheBase(const JsonValue& initialisation) {
  if (initialisation.IsNull() || initialisation.As<bool>() != nullptr) return false;
  const auto* name = initialisation.As<std::string>();
  return name == nullptr || !Contains(kPlainInitialisations, *name);
}

AdapterKindAndReason KindOfLora(const JsonValue& config) {
  for (const auto& [key, value] : *config.As<JsonObject>()) {
    if (IsVariantSwitch(key) && !IsOff(value)) {
      return {AdapterKind::kBilinear,
              absl::StrCat(absl::CHexEscape(key.substr(0, 64)),
                           ": expected it unset, since only plain LoRA is additive, got ", Describe(value))};
    }
    if (key == "init_lora_weights" && ChangesTheBase(value)) {
      return {AdapterKind::kBilinear,
              absl::StrCat("init_lora_weights: expected true, false, \"gaussian\", \"orthogonal\" or \"eva\", got ",
                           Describe(value), ": the factors fit only a changed base model")};
    }
  }
  return {AdapterKind::kLora, ""};
}

}  // namespace

AdapterKindAndReason KindOf(absl::string_view peft_type, const JsonValue& config) {
  if (peft_type == "LORA") return KindOfLora(config);
  if (Contains(kAveraged, peft_type)) return {AdapterKind::kAveraged, ""};
  const std::string name = absl::StrCat("peft_type: \"", absl::CHexEscape(peft_type.substr(0, 64)), "\" is ");
  for (const Product& product : kBilinear) {
    if (peft_type == product.peft_type) return {AdapterKind::kBilinear, absl::StrCat(name, product.what)};
  }
  return {AdapterKind::kBilinear, absl::StrCat(name, "a kind of adapter that Cairn does not know")};
}

}  // namespace cairn
