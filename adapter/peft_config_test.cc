#include "adapter/peft_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// What PEFT 0.13 wrote for a LoRA of two projections.
constexpr char kWrittenByPeft[] = R"({
  "alpha_pattern": {"o_proj": 32},
  "auto_mapping": null,
  "base_model_name_or_path": "org/base",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layer_replication": null,
  "layers_pattern": null,
  "layers_to_transform": null,
  "loftq_config": {},
  "lora_alpha": 16,
  "lora_dropout": 0.05,
  "megatron_config": null,
  "megatron_core": "megatron.core",
  "modules_to_save": null,
  "peft_type": "LORA",
  "r": 8,
  "rank_pattern": {"z": 4, "a": 2},
  "revision": null,
  "target_modules": ["q_proj", "o_proj"],
  "task_type": "CAUSAL_LM",
  "use_dora": false,
  "use_rslora": false
})";

TEST(ParsePeftConfig, ReadsWhatPeftWrites) {
  const auto config = ParsePeftConfig(kWrittenByPeft);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->base_model, "org/base");
  EXPECT_EQ(config->task_type, "CAUSAL_LM");
  EXPECT_EQ(config->rank, 8);
  EXPECT_EQ(config->alpha, 16);
  EXPECT_FALSE(config->rslora);
  EXPECT_FALSE(config->fan_in_fan_out);
  EXPECT_THAT(config->target_modules, ElementsAre("q_proj", "o_proj"));
  EXPECT_FALSE(config->target_modules_is_regex);
  EXPECT_THAT(config->rank_pattern, ElementsAre(Pair("z", 4), Pair("a", 2)));
  EXPECT_THAT(config->alpha_pattern, ElementsAre(Pair("o_proj", 32.0)));
}

std::string With(absl::string_view members) {
  return absl::StrCat(R"({"peft_type": "LORA", "r": 8, "lora_alpha": 16)", members.empty() ? "" : ", ", members, "}");
}

TEST(ParsePeftConfig, NeedsLittle) {
  const auto config = ParsePeftConfig(With(R"("target_modules": ".*_proj", "base_model_name_or_path": null)"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->base_model, "");
  EXPECT_THAT(config->target_modules, ElementsAre(".*_proj"));
  EXPECT_TRUE(config->target_modules_is_regex);
}

TEST(ParsePeftConfig, AcceptsOptionsThatChangeNothing) {
  for (const char* members :
       {R"("init_lora_weights": "gaussian")", R"("init_lora_weights": "eva")", R"("init_lora_weights": false)",
        R"("modules_to_save": [])", R"("use_dora": null)", R"("lora_bias": false)",
        R"("some_future_option": {"deep": [1, {"x": null}]})", R"("lora_dropout": 1e-3)"}) {
    const auto config = ParsePeftConfig(With(members));
    ASSERT_TRUE(config.ok()) << members;
    EXPECT_EQ(config->kind, AdapterKind::kLora) << members << ": " << config->kind_reason;
  }
}

// Objects of many keys look duplicates up in another way than small ones.
TEST(ParsePeftConfig, FindsDuplicatesAmongManyKeys) {
  for (int keys : {1, 7, 8, 9, 10, 40}) {
    std::string pattern;
    for (int i = 0; i < keys; ++i) absl::StrAppend(&pattern, "\"q", i, "\": 1, ");
    EXPECT_TRUE(ParsePeftConfig(With(absl::StrCat("\"rank_pattern\": {", pattern, "\"last\": 1}"))).ok()) << keys;
    for (int twice : {0, keys - 1}) {
      const auto config = ParsePeftConfig(With(absl::StrCat("\"rank_pattern\": {", pattern, "\"q", twice, "\": 1}")));
      EXPECT_THAT(std::string(config.status().message()), HasSubstr(absl::StrCat("duplicate key \"q", twice, "\"")));
    }
  }
}

struct BadConfig {
  std::string json;
  const char* message;
};

std::vector<BadConfig> BadConfigs() {
  return {
      {"", "not JSON at byte"},
      {"[]", "the document: expected an object, got a list of 0"},
      {With(R"("r": 4)"), "duplicate key \"r\""},
      {With(R"("rank_pattern": {"q": 1, "q": 2})"), "duplicate key \"q\""},
      {With(absl::StrCat("\"x\": ", std::string(100'000, '['))), "nested deeper than 16"},
      {R"({"r": 8, "lora_alpha": 16})", "peft_type: expected a string such as \"LORA\", got nothing"},
      {R"({"peft_type": 7})", "peft_type: expected a string such as \"LORA\", got 7"},
      {R"({"peft_type": "LORA", "lora_alpha": 16})", "r: expected a number, got nothing"},
      {R"({"peft_type": "LORA", "r": 8})", "lora_alpha: expected a number, got nothing"},
      {R"({"peft_type": "LORA", "r": 0, "lora_alpha": 1})", "r: expected an integer from 1 to 65536, got 0"},
      {R"({"peft_type": "LORA", "r": -4, "lora_alpha": 1})", "r: expected an integer from 1 to 65536, got -4"},
      {R"({"peft_type": "LORA", "r": 8.0, "lora_alpha": 1})", "r: expected an integer from 1 to 65536, got 8"},
      {R"({"peft_type": "LORA", "r": "8", "lora_alpha": 1})", "r: expected an integer from 1 to 65536, got \"8\""},
      {R"({"peft_type": "LORA", "r": 65537, "lora_alpha": 1})", "r: expected an integer from 1 to 65536, got 65537"},
      {R"({"peft_type": "LORA", "r": 8, "lora_alpha": 0})", "lora_alpha: expected a positive number, got 0"},
      {R"({"peft_type": "LORA", "r": 8, "lora_alpha": -1})", "lora_alpha: expected a positive number, got -1"},
      {R"({"peft_type": "LORA", "r": 8, "lora_alpha": true})", "lora_alpha: expected a positive number, got true"},
      {R"({"peft_type": "LORA", "r": 8, "lora_alpha": NaN})", "not JSON at byte"},
      {R"({"peft_type": "LORA", "r": 8, "lora_alpha": 1e999})", "not JSON at byte"},
      {With(R"("use_rslora": 1)"), "use_rslora: expected true or false, got 1"},
      {With(R"("fan_in_fan_out": "no")"), "fan_in_fan_out: expected true or false, got \"no\""},
      {With(R"("base_model_name_or_path": 3)"), "base_model_name_or_path: expected a string, got 3"},
      {With(R"("target_modules": 3)"), "target_modules: expected a list of strings or a string, got 3"},
      {With(R"("target_modules": ["q", null])"), "target_modules: expected a list of strings or a string, got null"},
      {With(R"("rank_pattern": [])"), "rank_pattern: expected an object, got a list of 0"},
      {With(R"("rank_pattern": {"q": 0})"), "rank_pattern[\"q\"]: expected an integer from 1 to 65536, got 0"},
      {With(R"("alpha_pattern": {"q": "x"})"), "alpha_pattern[\"q\"]: expected a positive number, got \"x\""},
      {With(R"("bias": "some")"), "bias: expected \"none\", \"all\" or \"lora_only\", got \"some\""},
      {With(R"("bias": true)"), "bias: expected a string, got true"},
      {With(R"("lora_bias": 1)"), "lora_bias: expected true or false, got 1"},
      {With(R"("modules_to_save": "lm_head")"), "modules_to_save: expected a list of names, got \"lm_head\""},
      {With(R"("modules_to_save": [""])"), "modules_to_save: expected a list of names, got \"\""},
      {std::string(limits::kAdapterConfigBytesMax + 1, ' '), "expected at most 1048576 bytes"},
  };
}

TEST(ParsePeftConfig, RefusesBadConfigsByKey) {
  for (const BadConfig& bad : BadConfigs()) {
    const auto config = ParsePeftConfig(bad.json);
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << bad.message;
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(absl::StrCat("adapter_config.json: ", bad.message)));
  }
}

TEST(ParsePeftConfig, ReadsWhatIsTrainedBesideTheFactors) {
  const auto config =
      ParsePeftConfig(With(R"("bias": "lora_only", "lora_bias": true, "modules_to_save": ["lm_head", "score"])"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->kind, AdapterKind::kLora);
  EXPECT_EQ(config->bias, PeftConfig::Bias::kLoraOnly);
  EXPECT_TRUE(config->lora_bias);
  EXPECT_THAT(config->modules_to_save, ElementsAre("lm_head", "score"));
  EXPECT_EQ(ParsePeftConfig(With(R"("bias": "all")"))->bias, PeftConfig::Bias::kAll);
}

TEST(ParsePeftConfig, SaysWhyALoraIsNotAdditive) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("use_dora": true)", "use_dora: expected it unset, since only plain LoRA is additive, got true"},
      {R"("use_qalora": true)", "use_qalora: expected it unset"},
      {R"("use_something_new": true)", "use_something_new: expected it unset"},
      {R"("layer_replication": [[0, 4]])", "layer_replication: expected it unset"},
      {R"("trainable_token_indices": [7])", "trainable_token_indices: expected it unset"},
      {R"("target_parameters": ["w"])", "target_parameters: expected it unset"},
      {R"("alora_invocation_tokens": [1])", "alora_invocation_tokens: expected it unset"},
      {R"("arrow_config": {"top_k": 2})", "arrow_config: expected it unset"},
      {R"("init_lora_weights": "pissa")", "init_lora_weights: expected true, false, \"gaussian\""},
      {R"("init_lora_weights": "pissa_niter_4")", "got \"pissa_niter_4\": the factors fit only a changed base model"},
      {R"("init_lora_weights": {})", "init_lora_weights: expected true, false"},
  };
  for (const auto& [members, reason] : cases) {
    const auto config = ParsePeftConfig(With(members));
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->kind, AdapterKind::kBilinear) << members;
    EXPECT_THAT(config->kind_reason, HasSubstr(reason));
    EXPECT_EQ(config->json, With(members));
    EXPECT_EQ(config->rank, 0);
  }
}

TEST(ParsePeftConfig, TellsKindsByTheirType) {
  const auto config = [](absl::string_view type) {
    return *ParsePeftConfig(absl::StrCat(R"({"r": "no number", "task_type": "SEQ_CLS", "peft_type": ")", type, "\"}"));
  };
  for (const char* type : {"IA3", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING", "VERA", "LN_TUNING", "FOURIERFT"}) {
    EXPECT_EQ(config(type).kind, AdapterKind::kAveraged) << type;
    EXPECT_EQ(config(type).kind_reason, "");
    EXPECT_EQ(config(type).peft_type, type);
    EXPECT_EQ(config(type).task_type, "SEQ_CLS");
  }
  const std::pair<const char*, const char*> cases[] = {
      {"LOHA", "peft_type: \"LOHA\" is an elementwise product of two products of trained factors"},
      {"LOKR", "is a Kronecker product"},
      {"ADALORA", "is a product of three trained factors"},
      {"OFT", "is a rotation"},
      {"lora", "peft_type: \"lora\" is a kind of adapter that Cairn does not know"},
      {"", "peft_type: \"\" is a kind of adapter that Cairn does not know"},
  };
  for (const auto& [type, reason] : cases) {
    EXPECT_EQ(config(type).kind, AdapterKind::kBilinear);
    EXPECT_THAT(config(type).kind_reason, HasSubstr(reason));
  }
}

TEST(SerializePeftConfig, GivesOtherKindsBackAsTheyWere) {
  const std::string json = R"({"peft_type": "IA3", "feedforward_modules": ["down_proj"]})";
  EXPECT_EQ(SerializePeftConfig(*ParsePeftConfig(json)), json);
}

TEST(SerializePeftConfig, WritesTheseBytes) {
  PeftConfig config;
  config.base_model = "org/\"base\"";
  config.bias = PeftConfig::Bias::kLoraOnly;
  config.modules_to_save = {"score"};
  config.rank = 4;
  config.alpha = 4;
  config.target_modules = {"a", "b.c"};
  config.rank_pattern = {{"^b\\.c", 2}};
  config.alpha_pattern = {{"^b\\.c", 2.5}};
  EXPECT_EQ(SerializePeftConfig(config), R"({
  "alpha_pattern": {
    "^b\\.c": 2.5
  },
  "base_model_name_or_path": "org/\"base\"",
  "bias": "lora_only",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "lora_alpha": 4,
  "lora_bias": false,
  "lora_dropout": 0.0,
  "modules_to_save": [
    "score"
  ],
  "peft_type": "LORA",
  "r": 4,
  "rank_pattern": {
    "^b\\.c": 2
  },
  "target_modules": [
    "a",
    "b.c"
  ],
  "task_type": null,
  "use_dora": false,
  "use_rslora": false
}
)");
}

TEST(SerializePeftConfig, ReadsBackTheSame) {
  auto config = *ParsePeftConfig(kWrittenByPeft);
  config.alpha = 0.1;
  config.rslora = true;
  config.lora_bias = true;
  config.fan_in_fan_out = true;
  config.bias = PeftConfig::Bias::kAll;
  config.modules_to_save = {"a", "b.c"};
  config.alpha_pattern.emplace_back("x", 1e300);
  const auto back = ParsePeftConfig(SerializePeftConfig(config));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->alpha, 0.1);
  EXPECT_TRUE(back->rslora);
  EXPECT_TRUE(back->lora_bias);
  EXPECT_TRUE(back->fan_in_fan_out);
  EXPECT_EQ(back->bias, PeftConfig::Bias::kAll);
  EXPECT_EQ(back->modules_to_save, config.modules_to_save);
  EXPECT_EQ(back->rank_pattern, config.rank_pattern);
  EXPECT_EQ(back->alpha_pattern, config.alpha_pattern);
  EXPECT_EQ(back->target_modules, config.target_modules);
  EXPECT_EQ(SerializePeftConfig(*back), SerializePeftConfig(config));
}

TEST(SerializePeftConfig, KeepsATargetRegex) {
  const auto config = ParsePeftConfig(With(R"("target_modules": "all-linear")"));
  EXPECT_THAT(SerializePeftConfig(*config), HasSubstr("\"target_modules\": \"all-linear\""));
}

}  // namespace
}  // namespace cairn
