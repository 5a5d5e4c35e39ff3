#include "adapter/rank_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

using testing::HasSubstr;

struct Match {
  const char* key;
  const char* module;
  bool expected;  // bool(re.match(rf"(.*\.)?({key})$", module)) in Python.
};

TEST(PatternKey, MatchesAsPythonDoes) {
  const Match matches[] = {
      {"q", "q", true},
      {"q", "x.q", true},
      {"q", "xq", false},
      {"q", "q.x", false},
      {"x.q", "x.q", true},
      {"x.q", "y.x.q", true},
      {"x.q", "xyq", true},  // An unescaped dot is any character.
      {"x.q", "a.xyq", true},
      {"x\\.q", "xyq", false},
      {"x\\.q", "a.x.q", true},
      {"^q", "q", true},
      {"^q", "x.q", false},
      {"^x\\.q", "x.q", true},
      {"^x\\.q", "y.x.q", false},
      {"^x.q", "xyq", true},
      {"layers\\.\\d+\\.q", "m.layers.12.q", true},
      {"layers\\.\\d+\\.q", "m.layers.x.q", false},
      {"layers\\.(0|1)\\.q", "layers.1.q", true},
      {"layers\\.(0|1)\\.q", "layers.2.q", false},
      {"q|k", "a.k", true},
      {"q|k", "a.kq", false},
      {".*", "anything.at.all", true},
      {"q$", "x.q", true},
      {"q_proj-1", "q_proj-1", true},
      {"", "q", false},
      {"", "q.", true},
      {"[qk]", "x.k", true},
  };
  for (const Match& match : matches) {
    const auto pattern = PatternKey::Compile(match.key);
    ASSERT_TRUE(pattern.ok()) << pattern.status();
    EXPECT_EQ(pattern->Matches(match.module), match.expected) << match.key << " on " << match.module;
  }
}

TEST(PatternKey, CompilesOnlyWhatIsMoreThanAPath) {
  EXPECT_FALSE(PatternKey::Compile("model.layers.0.self_attn.q_proj")->is_regex());
  EXPECT_FALSE(PatternKey::Compile(ExactPattern("a.b[0]"))->is_regex());
  EXPECT_TRUE(PatternKey::Compile("a|b")->is_regex());
  EXPECT_TRUE(PatternKey::Compile("\\d")->is_regex());
}

TEST(PatternKey, RefusesWhatIsNoExpressionOrTooMuch) {
  const std::pair<std::string, const char*> bad[] = {
      {"(", "pattern \"(\": missing"},        {"a)|(b", "pattern \"a)|(b\": "},
      {"a\\", "pattern \"a\\\\\": trailing"}, {"(?=x)", "invalid perl operator"},
      {"(a)\\1", "invalid escape sequence"},  {"((a{100}){100}){100}", "pattern"},
      {"a{900}b{900}", "too complex"},        {std::string(1025, 'a'), "expected at most 1024 bytes, got 1025"},
  };
  for (const auto& [key, message] : bad) {
    const auto pattern = PatternKey::Compile(key);
    EXPECT_EQ(pattern.status().code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_THAT(std::string(pattern.status().message()), HasSubstr(message));
  }
}

PeftConfig Config(std::int64_t rank, double alpha) {
  PeftConfig config;
  config.rank = rank;
  config.alpha = alpha;
  return config;
}

TEST(RankAndScaleOf, DefaultsToTheConfig) {
  PeftConfig config = Config(8, 16);
  EXPECT_EQ(RankAndScaleOf(config, "q")->rank, 8);
  EXPECT_EQ(RankAndScaleOf(config, "q")->scale, 2);
  config.rslora = true;
  EXPECT_EQ(RankAndScaleOf(config, "q")->scale, 16 / std::sqrt(8.0));
}

TEST(RankAndScaleOf, TheFirstMatchInFileOrderWins) {
  PeftConfig config = Config(8, 16);
  config.rank_pattern = {{"q", 4}, {"^x\\.q", 2}};
  config.alpha_pattern = {{"^x\\.q", 2}, {"q", 4}};
  EXPECT_EQ(RankAndScaleOf(config, "x.q")->rank, 4);
  EXPECT_EQ(RankAndScaleOf(config, "x.q")->scale, 0.5);
  EXPECT_EQ(RankAndScaleOf(config, "y.q")->scale, 1);
  EXPECT_EQ(RankAndScaleOf(config, "k")->rank, 8);
}

TEST(RankAndScaleOf, ARankPatternAloneChangesTheScale) {
  PeftConfig config = Config(8, 16);
  config.rank_pattern = {{"q", 2}};
  EXPECT_EQ(RankAndScaleOf(config, "q")->scale, 8);
}

TEST(RankAndScaleOf, RefusesRanksThatAreNotPositive) {
  EXPECT_FALSE(RankAndScaleOf(Config(0, 1), "q").ok());
  PeftConfig config = Config(1, 1);
  config.rank_pattern = {{"q", 0}};
  EXPECT_FALSE(RankAndScaleOf(config, "k").ok());
}

TEST(RankTable, BoundsTheNumberOfRegularExpressionsButNotOfPaths) {
  PeftConfig config = Config(1, 1);
  for (int i = 0; i < 1000; ++i) config.rank_pattern.emplace_back(absl::StrCat("^layers\\.", i), 1);
  for (std::size_t i = 0; i < limits::kPatternRegexesMax; ++i)
    config.alpha_pattern.emplace_back(absl::StrCat(i, "+"), 1);
  EXPECT_TRUE(RankTable::Compile(config).ok());
  config.rank_pattern.emplace_back("x*", 1);
  EXPECT_THAT(std::string(RankTable::Compile(config).status().message()),
              HasSubstr("expected at most 16 regular expressions"));
}

// A backtracking matcher would need 2^40 steps here.
TEST(RankTable, AHostileExpressionTakesLinearTime) {
  EXPECT_FALSE(PatternKey::Compile("(a*)*b")->Matches(std::string(400, 'a')));
}

TEST(UnitScaleConfig, GivesEveryModuleItsRankAndScaleOne) {
  const std::vector<std::pair<std::string, std::int64_t>> ranks = {
      {"q", 3},      {"x.q", 5},    {"y.x.q", 8}, {"xyq", 8}, {"q.x", 13}, {"layers.1.q", 8}, {"layers.11.q", 21},
      {"a[0].w", 7}, {"a+b|c", 11}, {"a.b", 2},   {"a_b", 4}, {"(w", 6},   {"layers.1", 9},
  };
  const PeftConfig config = UnitScaleConfig({.base_model = "org/base"}, ranks);
  EXPECT_EQ(config.rank, 8);
  EXPECT_EQ(config.base_model, "org/base");
  const auto reread = ParsePeftConfig(SerializePeftConfig(config));
  ASSERT_TRUE(reread.ok()) << reread.status();
  for (const auto& [module, rank] : ranks) {
    const auto got = RankAndScaleOf(*reread, module);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->rank, rank) << module;
    EXPECT_EQ(got->scale, 1.0) << module;
  }
}

TEST(UnitScaleConfig, EvenRanksNeedNoPatterns) {
  const PeftConfig config = UnitScaleConfig({}, {{"a", 4}, {"b", 4}});
  EXPECT_TRUE(config.rank_pattern.empty());
  EXPECT_TRUE(config.alpha_pattern.empty());
  EXPECT_THAT(config.target_modules, testing::ElementsAre("a", "b"));
}

TEST(UnitScaleConfig, LeavesOutModulesOfRankZero) {
  const PeftConfig config = UnitScaleConfig({}, {{"a", 0}, {"b", 4}, {"c", 0}, {"d", 2}, {"e", 0}});
  EXPECT_EQ(config.rank, 2);
  EXPECT_THAT(config.target_modules, testing::ElementsAre("b", "d"));
  EXPECT_THAT(config.rank_pattern, testing::ElementsAre(testing::Pair("^b", 4)));
  EXPECT_EQ(UnitScaleConfig({}, {{"a", 0}}).rank, 1);
}

TEST(UnitScaleConfig, KeepsWhatIsNoScale) {
  const PeftConfig like{.base_model = "org/base",
                        .task_type = "CAUSAL_LM",
                        .rank = 7,
                        .alpha = 99,
                        .rslora = true,
                        .fan_in_fan_out = true,
                        .bias = PeftConfig::Bias::kLoraOnly,
                        .lora_bias = true,
                        .modules_to_save = {"score"},
                        .target_modules = {"other"},
                        .rank_pattern = {{"a", 3}}};
  const PeftConfig config = UnitScaleConfig(like, {{"a", 4}});
  EXPECT_EQ(config.base_model, "org/base");
  EXPECT_EQ(config.task_type, "CAUSAL_LM");
  EXPECT_TRUE(config.fan_in_fan_out);
  EXPECT_EQ(config.bias, PeftConfig::Bias::kLoraOnly);
  EXPECT_TRUE(config.lora_bias);
  EXPECT_THAT(config.modules_to_save, testing::ElementsAre("score"));
  EXPECT_EQ(config.alpha, 4);
  EXPECT_FALSE(config.rslora);
  EXPECT_THAT(config.target_modules, testing::ElementsAre("a"));
  EXPECT_TRUE(config.rank_pattern.empty());
}

}  // namespace
}  // namespace cairn
