// adapter_config.json of Hugging Face PEFT.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

inline constexpr char kAdapterConfigFile[] = "adapter_config.json";

// How averaging the tensors of an adapter relates to averaging what the adapter does.
enum class AdapterKind {
  kLora,      // B * A: modules, which the combine rules treat by their algebra.
  kAveraged,  // IA3, prefix, prompts, VeRA vectors, ...: every tensor is averaged by itself (rule dense_mean).
  kBilinear,  // LoHa, LoKr, AdaLoRA, DoRA, OFT, ... and kinds that Cairn does not know: averaging tensors is not
              // averaging updates, so it is done only when asked for by name.
};

// The fields that decide what an adapter means. Others are read and ignored, except those that would change the meaning
// of LoRA factors (DoRA, ...): they make the kind kBilinear, with `kind_reason`. Of kinds other than kLora only the
// first six are filled in.
struct PeftConfig {
  AdapterKind kind = AdapterKind::kLora;
  std::string peft_type = "LORA";
  std::string kind_reason;  // For kBilinear: what is not additive, such as `use_dora: expected it unset, ... got true`.
  std::string json;         // The whole document. Kinds other than kLora are published again with it as it is.
  std::string base_model;   // base_model_name_or_path; may be empty.
  std::string task_type;    // e.g. "CAUSAL_LM"; may be empty.
  std::int64_t rank = 0;    // r
  double alpha = 0;         // lora_alpha
  bool rslora = false;      // use_rslora: scale = alpha / sqrt(r) instead of alpha / r.
  bool fan_in_fan_out = false;
  enum class Bias { kNone, kAll, kLoraOnly };
  Bias bias = Bias::kNone;
  bool lora_bias = false;                    // lora_B has a bias.
  std::vector<std::string> modules_to_save;  // Last parts of paths; their weights are in the file as they are.
  std::vector<std::string> target_modules;
  bool target_modules_is_regex = false;  // It was one string: a regular expression, or "all-linear".
  // Exceptions by module, in file order; the first key that matches re.match(r"(.*\.)?(KEY)$", module) wins, as in
  // PEFT.
  std::vector<std::pair<std::string, std::int64_t>> rank_pattern;
  std::vector<std::pair<std::string, double>> alpha_pattern;
};

// INVALID_ARGUMENT names the key, what was expected and what came. `json` is at most limits::kAdapterConfigBytesMax.
// A kind of adapter that cannot be combined is no error here: see kind and kind_reason.
absl::StatusOr<PeftConfig> ParsePeftConfig(absl::string_view json);

// For kLora: JSON in a fixed key order, two-space indent, newline at the end, with what PEFT needs to load it for
// inference. For other kinds: config.json.
std::string SerializePeftConfig(const PeftConfig& config);

// Rank, and scale = alpha / rank (or alpha / sqrt(rank)), that the config gives a module. INVALID_ARGUMENT when a
// pattern is not a regular expression or the rank is not positive.
struct RankAndScale {
  std::int64_t rank;
  double scale;
};
absl::StatusOr<RankAndScale> RankAndScaleOf(const PeftConfig& config, absl::string_view module);

// The config of a LoRA whose factors already contain their scale: every module has s = 1, by alpha = rank. Modules of
// the commonest rank are covered by r; others get rank_pattern and alpha_pattern entries that match only them; those of
// rank 0 are left out, as PEFT refuses them. base_model, task_type, fan_in_fan_out, bias, lora_bias and modules_to_save
// are those of `like`.
PeftConfig UnitScaleConfig(const PeftConfig& like,
                           const std::vector<std::pair<std::string, std::int64_t>>& module_ranks);

}  // namespace cairn
