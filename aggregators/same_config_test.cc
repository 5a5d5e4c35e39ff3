#include "aggregators/same_config.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

bool Same(absl::string_view x, absl::string_view y) { return !DifferenceOf(x, y) && !DifferenceOf(y, x); }

TEST(SameConfig, WhatChangesNothingMayDiffer) {
  EXPECT_TRUE(
      Same(R"({"r": 8, "task_type": "CAUSAL_LM", "peft_version": "0.17", "lora_dropout": 0.1})",
           R"({"peft_version": "0.18", "r": 8.0, "inference_mode": true, "vera_dropout": 0.5, "revision": "x"})"));
}

TEST(SameConfig, TheOrderOfModulesDoesNotCount) {
  EXPECT_TRUE(Same(R"({"target_modules": ["q", "v"]})", R"({"target_modules": ["v", "q"]})"));
  EXPECT_FALSE(Same(R"({"target_modules": ["q", "v"]})", R"({"target_modules": ["v"]})"));
  EXPECT_FALSE(Same(R"({"layers": [1, 2]})", R"({"layers": [2, 1]})"));
}

TEST(SameConfig, OfPatternsTheFirstWins) {
  EXPECT_FALSE(Same(R"({"rank_pattern": {"a": 4, ".*": 2}})", R"({"rank_pattern": {".*": 2, "a": 4}})"));
}

TEST(SameConfig, AbsentIsOff) {
  EXPECT_TRUE(
      Same(R"({"use_dora": false, "layers_pattern": null, "rank_pattern": {}, "lists": [], "text": ""})", "{}"));
  EXPECT_FALSE(Same(R"({"seed": 0})", "{}"));
  EXPECT_FALSE(Same(R"({"save": true})", R"({"save": false})"));
}

TEST(SameConfig, NamesTheFirstDifference) {
  const auto difference = DifferenceOf(R"({"r": 8, "alpha": [1, "x"]})", R"({"r": 4})");
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(difference->key, "alpha");
  EXPECT_EQ(difference->x, R"([1,"x"])");
  EXPECT_EQ(difference->y, "nothing");
  const std::string text(1000, 'x');
  EXPECT_EQ(DifferenceOf(R"({"a": ")" + text + R"("})", "{}")->x, "\"" + text.substr(0, 99) + "...");
}

}  // namespace
}  // namespace cairn
