#include "server/root/histories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
namespace reference = kernels::reference;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using ::testing::UnorderedElementsAre;

const std::vector<ModuleSpec> kModules = {{"layers.0.k", 6, 5}, {"layers.0.q", 6, 5}};

reference::Matrix Dense(const std::vector<reference::Update>& updates) { return reference::DenseSum(updates); }

class HistoriesTest : public ::testing::Test {
 protected:
  Histories Open(std::uint64_t version, const fs::path& data_dir) {
    auto histories = Histories::Open(data_dir, "fed", version, combine_.get());
    EXPECT_TRUE(histories.ok()) << histories.status();
    return *std::move(histories);
  }
  Histories Open(std::uint64_t version) { return Open(version, directory_.path()); }

  // What a publication does to one client's history.
  absl::Status Add(std::uint64_t version, const std::string& client, const InMemoryUpdate& update,
                   const Adapter* reference = nullptr) {
    Histories histories = Open(version);
    if (auto loaded = histories.Load(client); !loaded.ok()) return loaded.status();
    const absl::Status added = histories.Add(
        client,
        {.update = &update.adapter(), .config = update.bytes().config_json, .reference = reference, .names = names_});
    return added.ok() ? histories.Sync() : added;
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_ / "history/fed")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  std::string Bytes(const std::string& file) const {
    return *ReadFile(directory_ / "history/fed" / file, std::size_t{1} << 20);
  }

  const TestDirectory directory_;
  const std::unique_ptr<Aggregator> combine_ = *MakeAggregator("stack");
  std::vector<std::string> names_;
};

TEST_F(HistoriesTest, SumsWhatAClientSentMeasuredFromTheReference) {
  const InMemoryUpdate first = testing::MakeUpdate(1, kModules, 2, 4), second = testing::MakeUpdate(2, kModules, 1, 3);
  const InMemoryUpdate from = testing::MakeUpdate(3, kModules, 1, 1);
  ASSERT_TRUE(Add(1, "a", first).ok());
  ASSERT_TRUE(Add(2, "a", second, &from.adapter()).ok());
  Histories histories = Open(3);
  const auto sum = histories.Load("a");
  ASSERT_TRUE(sum.ok()) << sum.status();
  ASSERT_NE(*sum, nullptr);
  EXPECT_EQ(*histories.Load("b"), nullptr);
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const auto part = [m](const InMemoryUpdate& update, double weight) {
      return testing::ReferenceOf(update.adapter().modules[m], weight);
    };
    const LoraModule& module = (*sum)->modules.at(m);
    EXPECT_EQ(module.rank, 4);
    EXPECT_LT(reference::MaxDifference(Dense({testing::ReferenceOf(module, 1)}),
                                       Dense({part(first, 1), part(second, 1), part(from, -1)})),
              1e-6);
  }
}

TEST_F(HistoriesTest, ARankStaysThatOfItsWeight) {
  reference::Matrix expected = reference::Matrix::Zero(5, 6);
  for (std::uint64_t round = 1; round <= 8; ++round) {
    const InMemoryUpdate update = testing::MakeUpdate(round, kModules, 3, 3);
    const reference::Matrix change = Dense({testing::ReferenceOf(update.adapter().modules[0], 1)});
    for (std::size_t i = 0; i < change.values.size(); ++i) expected.values[i] += change.values[i];
    ASSERT_TRUE(Add(round, "a", update).ok());
  }
  Histories histories = Open(9);
  const LoraModule& module = (*histories.Load("a"))->modules.at(0);
  EXPECT_EQ(module.rank, 5);
  EXPECT_LT(reference::MaxDifference(Dense({testing::ReferenceOf(module, 1)}), expected), 1e-5);
}

TEST_F(HistoriesTest, KeepsOnlyWhatTheRuleLooksAt) {
  names_ = {"q"};
  ASSERT_TRUE(Add(1, "a", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  Histories histories = Open(2);
  const Adapter* sum = *histories.Load("a");
  ASSERT_EQ(sum->modules.size(), 1u);
  EXPECT_EQ(sum->modules[0].name, "layers.0.q");
  names_ = {"layers.0.v"};
  ASSERT_TRUE(Add(1, "b", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  EXPECT_EQ(*Open(2).Load("b"), nullptr) << "nothing to keep";
}

// After a crash at any point, the same attempt again.
TEST_F(HistoriesTest, AnAttemptThatIsRepeatedWritesTheSameBytes) {
  const InMemoryUpdate first = testing::MakeUpdate(1, kModules, 2, 2), second = testing::MakeUpdate(2, kModules, 2, 2);
  ASSERT_TRUE(Add(1, "a", first).ok());
  ASSERT_TRUE(Add(2, "a", second).ok());
  const std::string tensors = Bytes("a@2.safetensors"), config = Bytes("a@2.json");
  for (const char* unfinished : {"history/fed/writing", "history/fed/.a@2.json.123.4.tmp"}) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / unfinished, "half").ok());
  }
  for (const char* lost : {"a@2.safetensors", "a@2.json", "none"}) {
    fs::remove(directory_ / "history/fed" / lost);
    ASSERT_TRUE(Add(2, "a", second).ok());
    EXPECT_TRUE(Bytes("a@2.safetensors") == tensors) << lost;
    EXPECT_EQ(Bytes("a@2.json"), config) << lost;
  }
  EXPECT_THAT(Files(), UnorderedElementsAre("a@1.safetensors", "a@1.json", "a@2.safetensors", "a@2.json"));
}

// A client that is not in the round any more must not have been in it.
TEST_F(HistoriesTest, WhatAnAttemptLeftIsForgotten) {
  ASSERT_TRUE(Add(1, "a", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  ASSERT_TRUE(Add(2, "a", testing::MakeUpdate(2, kModules, 2, 2)).ok());
  const std::string before = Bytes("a@1.safetensors");
  ASSERT_TRUE(Add(2, "b", testing::MakeUpdate(3, kModules, 2, 2)).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre("a@1.safetensors", "a@1.json", "b@2.safetensors", "b@2.json"));
  EXPECT_TRUE(Bytes("a@1.safetensors") == before);
}

// Until then the version before can be published again.
TEST_F(HistoriesTest, WhatNewerSumsReplaceGoesWhenTheNextVersionIsBegun) {
  const InMemoryUpdate update = testing::MakeUpdate(1, kModules, 2, 2);
  ASSERT_TRUE(Add(1, "a", update).ok());
  {
    Histories histories = Open(1);
    for (const char* client : {"a", "b.2"}) {
      const Histories::Addition addition{.update = &update.adapter(), .config = update.bytes().config_json};
      ASSERT_TRUE(histories.Add(client, addition).ok());
    }
  }
  ASSERT_TRUE(Add(2, "a", update).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre("a@1.safetensors", "a@1.json", "a@2.safetensors", "a@2.json",
                                            "b.2@1.safetensors", "b.2@1.json"));
  ASSERT_TRUE(Add(3, "a", update).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre("a@2.safetensors", "a@2.json", "a@3.safetensors", "a@3.json",
                                            "b.2@1.safetensors", "b.2@1.json"));
}

TEST_F(HistoriesTest, ARuleThatNeedsNoneRemovesThem) {
  EXPECT_TRUE(RemoveHistories(directory_.path(), "fed").ok()) << "there are none";
  ASSERT_TRUE(Add(1, "a", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  ASSERT_TRUE(RemoveHistories(directory_.path(), "fed").ok());
  EXPECT_FALSE(fs::exists(directory_ / "history/fed"));
  EXPECT_EQ(*Open(2).Load("a"), nullptr);
}

TEST_F(HistoriesTest, WhatTheRuleLooksAtNoMoreIsForgotten) {
  ASSERT_TRUE(Add(1, "a", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  names_ = {"q"};
  ASSERT_TRUE(Add(2, "a", testing::MakeUpdate(2, kModules, 2, 2)).ok());
  Histories histories = Open(3);
  const Adapter* sum = *histories.Load("a");
  ASSERT_EQ(sum->modules.size(), 1u);
  EXPECT_EQ(sum->modules[0].name, "layers.0.q");
}

TEST_F(HistoriesTest, ValuesThatAreNotFiniteChangeNothing) {
  ASSERT_TRUE(Add(1, "a", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  const InMemoryUpdate broken = testing::MakeUpdate(2, kModules, 2, 2, DType::kF32,
                                                    [](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) {
                                                      a[0] = std::numeric_limits<float>::quiet_NaN();
                                                    });
  ASSERT_TRUE(Add(2, "a", broken).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre("a@1.safetensors", "a@1.json"));
}

TEST_F(HistoriesTest, AFileThatCannotBeReadIsNamed) {
  ASSERT_TRUE(Add(1, "a", testing::MakeUpdate(1, kModules, 2, 2)).ok());
  const fs::path file = directory_ / "history/fed/a@1.safetensors";
  ASSERT_TRUE(WriteFileAtomically(file, "no safetensors").ok());
  EXPECT_THAT(std::string(Open(2).Load("a").status().message()), HasSubstr(file.string()));
}

// Adapters that are plain tensors, and tensors beside modules.
class HistoryTensors : public HistoriesTest {
 protected:
  static testing::UpdateBytes Tensors(const std::string& config, std::vector<float> values, DType integers) {
    const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    return {config, *SerializeSafetensors({{"q.steps", integers, {1}, "abcd"}, {"q.ia3_l", DType::kF32, {2}, bytes}})};
  }
};

TEST_F(HistoryTensors, AbsoluteValuesAreAddedUpAndOthersLeftOut) {
  const std::string config = R"({"peft_type": "IA3", "target_modules": ["q"]})";
  const InMemoryUpdate x(Tensors(config, {1, 2}, DType::kI32)), y(Tensors(config, {10, 20}, DType::kI32));
  const InMemoryUpdate from(Tensors(config, {100, 0}, DType::kI32));
  ASSERT_TRUE(Add(1, "a", x).ok());
  ASSERT_TRUE(Add(2, "a", y, &from.adapter()).ok());
  Histories histories = Open(3);
  const auto sum = histories.Load("a");
  ASSERT_TRUE(sum.ok()) << sum.status();
  ASSERT_EQ((*sum)->tensors.size(), 1u);
  std::vector<float> values(2);
  ToFloat(DType::kF32, (*sum)->tensors[0].view.data.data(), 2, values.data());
  EXPECT_THAT(values, ElementsAre(-89, 22));
}

// Then the file has no factors, though its adapter was LoRA.
TEST_F(HistoryTensors, OfLoraTensorsAloneMayBeKept) {
  names_ = {"head.weight"};
  const std::vector<float> values = {1, 2, 3, 4};
  const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  const InMemoryUpdate update({R"({"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["q"],
                                   "modules_to_save": ["head"]})",
                               *SerializeSafetensors({{"base_model.model.q.lora_A.weight", DType::kF32, {2, 2}, bytes},
                                                      {"base_model.model.q.lora_B.weight", DType::kF32, {2, 2}, bytes},
                                                      {"base_model.model.head.weight", DType::kF32, {4}, bytes}})});
  ASSERT_TRUE(Add(1, "a", update).ok());
  ASSERT_TRUE(Add(2, "a", update).ok());
  Histories histories = Open(3);
  const auto sum = histories.Load("a");
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_TRUE((*sum)->modules.empty());
  ASSERT_EQ((*sum)->tensors.size(), 1u);
  float first = 0;
  ToFloat(DType::kF32, (*sum)->tensors[0].view.data.data(), 1, &first);
  EXPECT_EQ(first, 2);
}

}  // namespace
}  // namespace cairn
