#include "aggregators/result_config.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

PeftConfig Config(const std::string& base) {
  PeftConfig config;
  config.base_model = base;
  config.rank = 4;
  config.alpha = 16;
  return config;
}

double ScaleIn(const PeftConfig& config, const std::string& module) { return RankAndScaleOf(config, module)->scale; }

TEST(ResultConfig, TakesWhatAnyInputHas) {
  PeftConfig first = Config(""), second = Config("base");
  first.modules_to_save = {"head"};
  second.modules_to_save = {"embed", "head"};
  second.bias = PeftConfig::Bias::kLoraOnly;
  second.task_type = "CAUSAL_LM";
  second.lora_bias = true;
  const PeftConfig* const inputs[] = {&first, &second};
  const PeftConfig result = ResultConfig({{"x.q", 8}, {"x.v", 12}}, inputs);
  EXPECT_EQ(result.base_model, "base");
  EXPECT_EQ(result.task_type, "CAUSAL_LM");
  EXPECT_EQ(result.modules_to_save, (std::vector<std::string>{"embed", "head"}));
  EXPECT_EQ(result.bias, PeftConfig::Bias::kLoraOnly);
  EXPECT_TRUE(result.lora_bias);
  EXPECT_EQ(ScaleIn(result, "x.q"), 1);
  EXPECT_EQ(ScaleIn(result, "x.v"), 1);
}

TEST(RecipientConfig, HasTheRecipientsScaleInEveryModule) {
  const PeftConfig input = Config("base");
  const PeftConfig* const inputs[] = {&input};
  const PeftConfig result = RecipientConfig({{"x.q", 8}, {"x.v", 8}, {"x.small", 3}}, inputs, {.rank = 8, .alpha = 16});
  EXPECT_EQ(result.rank, 8);
  EXPECT_EQ(result.alpha, 16);
  EXPECT_EQ(RankAndScaleOf(result, "x.small")->rank, 3);
  for (const char* module : {"x.q", "x.v", "x.small"}) EXPECT_EQ(ScaleIn(result, module), 2) << module;
}

}  // namespace
}  // namespace cairn
