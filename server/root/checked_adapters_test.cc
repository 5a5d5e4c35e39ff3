#include "server/root/checked_adapters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/root/publish_fixture.h"
#include "server/root/round_pipeline.h"

namespace cairn {
namespace {

using Keep = CheckedAdapters::Keep;
using testing::MakeUpdate;
using testing::Sent;

constexpr auto kTake = [](const Adapter&) { return absl::OkStatus(); };

std::vector<ModuleSpec> Modules(int count) {
  std::vector<ModuleSpec> modules;
  for (int m = 0; m < count; ++m) modules.push_back({absl::StrCat("layers.", 100 + m, ".q"), 4, 4});
  return modules;
}

// As large as a client may make it, in everything that there is one of for each module or tensor.
Adapter LargeAdapter(int modules) {
  Adapter adapter = MakeUpdate(1, Modules(modules), 2, 2).adapter();
  adapter.config.json = std::string(1000, ' ');
  for (const LoraModule& module : adapter.modules) {
    adapter.tensors.push_back({.view = {.name = module.name + ".bias", .shape = {4}}});
    adapter.config.target_modules.push_back(module.name);
    adapter.config.rank_pattern.emplace_back(module.name, 2);
    adapter.config.alpha_pattern.emplace_back(module.name, 2);
  }
  return adapter;
}

std::size_t BytesOf(const std::string& text) { return text.capacity(); }

// What its lists and texts have reserved.
std::size_t HeldBytes(const Adapter& adapter) {
  const PeftConfig& config = adapter.config;
  std::size_t bytes =
      adapter.modules.capacity() * sizeof(LoraModule) + adapter.tensors.capacity() * sizeof(DenseTensor);
  bytes += config.target_modules.capacity() * sizeof(std::string);
  bytes += config.modules_to_save.capacity() * sizeof(std::string);
  bytes += config.rank_pattern.capacity() * sizeof(config.rank_pattern[0]);
  bytes += config.alpha_pattern.capacity() * sizeof(config.alpha_pattern[0]);
  for (const std::string* text : {&config.peft_type, &config.kind_reason, &config.json, &config.base_model}) {
    bytes += BytesOf(*text);
  }
  return bytes;
}

TEST(CheckedAdaptersTest, WhatIsKeptOfAnUpdateDoesNotGrowWithItsHeader) {
  std::vector<std::size_t> held;
  for (const int modules : {1, 300}) {
    CheckedAdapters less;
    for (const char* client : {"a", "b"}) ASSERT_TRUE(less.Add(client, LargeAdapter(modules), kTake).ok());
    held.push_back(HeldBytes(less.adapters().at("b")));
  }
  EXPECT_EQ(held[0], held[1]);
  EXPECT_LT(held[1], 200u);
}

TEST(CheckedAdaptersTest, WhoCombinesHasAllOfIt) {
  CheckedAdapters all(Keep::kAll);
  for (const char* client : {"a", "b"}) ASSERT_TRUE(all.Add(client, LargeAdapter(3), kTake).ok());
  EXPECT_EQ(all.adapters().at("b").modules.size(), 3u);
  EXPECT_EQ(all.adapters().at("b").tensors.size(), 3u);
}

// Rules have pointers to them.
TEST(CheckedAdaptersTest, ModulesOfTheFirstToHaveThemStayWhereTheyWere) {
  CheckedAdapters less;
  std::vector<const LoraModule*> told;
  const auto remember = [&](const Adapter& adapter) {
    told.push_back(adapter.modules.data());
    return absl::OkStatus();
  };
  for (const auto& [client, modules] : {std::pair{"b", 2}, {"c", 2}, {"a", 3}}) {
    ASSERT_TRUE(less.Add(client, LargeAdapter(modules), remember).ok());
  }
  CheckedAdapters moved = std::move(less);
  EXPECT_EQ(moved.adapters().at("b").modules.data(), told[0]);
  EXPECT_TRUE(moved.adapters().at("c").modules.empty());
  EXPECT_EQ(moved.adapters().at("a").modules.data(), told[2]);
  EXPECT_EQ(moved.ranks().size(), 3u);
  EXPECT_EQ(moved.ranks().at("layers.102.q"), 2);
}

TEST(CheckedAdaptersTest, TheFirstByNameHasItsDocument) {
  CheckedAdapters all(Keep::kAll);
  for (const char* client : {"b", "c", "a"}) {
    Adapter adapter = LargeAdapter(1);
    adapter.config.json = client;
    ASSERT_TRUE(all.Add(client, std::move(adapter), kTake).ok());
  }
  EXPECT_EQ(all.adapters().at("a").config.json, "a");
  EXPECT_EQ(all.adapters().at("b").config.json, "");
  EXPECT_EQ(all.adapters().at("c").config.json, "");
}

TEST(CheckedAdaptersTest, WhatIsRefusedIsNotAdded) {
  CheckedAdapters less;
  ASSERT_TRUE(less.Add("b", LargeAdapter(1), kTake).ok());
  const absl::Status refused = less.Add("a", LargeAdapter(2), [](const Adapter&) { return absl::UnknownError("no"); });
  EXPECT_EQ(refused.message(), "no");
  EXPECT_EQ(less.adapters().count("a"), 0u);
  EXPECT_EQ(less.ranks().size(), 1u);
  EXPECT_EQ(less.adapters().at("b").config.json.size(), 1000u) << "it is still the first";
  EXPECT_TRUE(absl::IsAlreadyExists(less.Add("b", LargeAdapter(1), kTake)));
  EXPECT_EQ(less.adapters().size(), 1u);
}

using RoundPipelineTest = testing::PublishFixture;

// As much as it takes to plan, and no headers.
TEST_F(RoundPipelineTest, PlansTheSameOfUpdatesThatItDoesNotKeep) {
  std::vector<Sent> cohort;
  for (int i = 0; i < 5; ++i) {
    cohort.push_back({absl::StrCat("c", i), 1u + i, MakeUpdate(i, testing::kTwoModules, 1 + i % 3, 2)});
  }
  const PublishJob job = Job(1, cohort, "zero_pad");
  RoundPipeline all(job), less(job);
  ASSERT_TRUE(all.Gather(Keep::kAll).ok());
  ASSERT_TRUE(less.Gather(Keep::kLess).ok());
  const auto planned = all.pipeline().Plan(), same = less.pipeline().Plan();
  ASSERT_TRUE(planned.ok() && same.ok()) << planned.status() << same.status();
  EXPECT_EQ(same->spec.modules, planned->spec.modules);
  EXPECT_EQ(same->ranks, planned->ranks);
  ASSERT_EQ(same->clients.size(), cohort.size());
  for (std::size_t i = 0; i < cohort.size(); ++i) EXPECT_EQ(same->clients[i].weight, planned->clients[i].weight);
  std::size_t held = 0;
  for (const auto& [client, adapter] : less.updates().adapters()) held += adapter.modules.capacity();
  EXPECT_EQ(held, testing::kTwoModules.size()) << "those of the first client";
  EXPECT_EQ(less.InputConfigs().size(), cohort.size());
}

}  // namespace
}  // namespace cairn
