#include "server/root/earlier_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/digest.h"
#include "base/test_directory.h"
#include "server/root/published_files.h"
#include "server/store/make_directories.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using ::testing::IsEmpty;
using ::testing::Pair;

const std::vector<ModuleSpec> kModules = {{"layers.0.q", 6, 5}};

class EarlierRoundsTest : public ::testing::Test {
 protected:
  // A published adapter: rank 2 in its one module, and where asked for a tensor with absolute values.
  AdapterFile Publish(std::uint64_t seed, bool with_head = false) {
    testing::UpdateBytes bytes = testing::MakeUpdateBytes(seed, kModules, 2, 2, DType::kF32);
    if (with_head) {
      const std::string data(48, '\1');
      bytes = {R"({"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["q"], "bias": "all",
                   "modules_to_save": ["head"]})",
               *SerializeSafetensors({{"base_model.model.layers.0.q.lora_A.weight", DType::kF32, {2, 6}, data},
                                      {"base_model.model.layers.0.q.lora_B.weight", DType::kF32, {6, 2}, data},
                                      {"base_model.model.head.weight", DType::kF32, {12}, data}})};
    }
    AdapterFile file{Sha256Hex(bytes.safetensors), bytes.safetensors.size(), bytes.config_json};
    const auto path = AdapterPath(directory_.path(), "fed", file.sha256);
    EXPECT_TRUE(MakeDirectories(path.parent_path()).ok());
    EXPECT_TRUE(WriteFileAtomically(path, bytes.safetensors).ok());
    return file;
  }
  EarlierRounds Open(const Rule::Needs& needs, const std::string& combine = "stack") {
    combine_ = *MakeAggregator(combine);
    auto rounds = EarlierRounds::Open(job_, needs, *combine_);
    EXPECT_TRUE(rounds.ok()) << rounds.status();
    return *std::move(rounds);
  }
  static std::vector<std::string> Tensors(const Adapter& adapter) {
    std::vector<std::string> names;
    for (const DenseTensor& tensor : adapter.tensors) names.push_back(tensor.view.name);
    return names;
  }
  void Contribute(const std::string& client) {
    job_.contributions.push_back(
        {{"fed", job_.version, client, "", 0, 1, update_.bytes().config_json, 0}, std::make_shared<NoBytes>()});
  }
  class NoBytes final : public Blob {
   public:
    absl::string_view bytes() const override { return ""; }
  };

  const TestDirectory directory_;
  PublishJob job_{"fed", Method{}, 2, "", {}, std::nullopt, directory_.path()};
  const InMemoryUpdate update_ = testing::MakeUpdate(7, kModules, 1, 1);
  std::unique_ptr<Aggregator> combine_;
};

TEST_F(EarlierRoundsTest, NothingIsReadForARuleThatNeedsNothing) {
  job_.previous = VersionRow{"fed", 1, {"gone", 1, "no config"}};
  Contribute("a");
  EarlierRounds rounds = Open({});
  EXPECT_EQ(rounds.Memory().last, nullptr);
  EXPECT_EQ(rounds.Memory().reference, nullptr);
  EXPECT_THAT(rounds.Memory().histories, IsEmpty());
  ASSERT_TRUE(rounds.Extend({{"a", update_.adapter()}}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "history"));
}

TEST_F(EarlierRoundsTest, InTheFirstRoundThereIsNothing) {
  job_.method.relative_to_published = true;
  Contribute("a");
  const EarlierRounds rounds = Open({.history = true, .last = true});
  EXPECT_EQ(rounds.Memory().last, nullptr);
  EXPECT_EQ(rounds.Memory().reference, nullptr);
  EXPECT_THAT(rounds.Memory().histories, IsEmpty());
}

TEST_F(EarlierRoundsTest, TheLastResultIsTheChangeWhereThereIsOne) {
  const InMemoryUpdate change = testing::MakeUpdate(2, kModules, 2, 2), whole = testing::MakeUpdate(1, kModules, 2, 2);
  job_.previous = VersionRow{"fed", 1, Publish(1), Publish(2)};
  const EarlierRounds merged = Open({.last = true});
  ASSERT_NE(merged.Memory().last, nullptr);
  EXPECT_EQ(merged.Memory().last->modules[0].a.data, change.adapter().modules[0].a.data);
  job_.previous->delta.reset();
  const EarlierRounds warm = Open({.last = true}, "svd");
  EXPECT_EQ(warm.Memory().last->modules[0].a.data, whole.adapter().modules[0].a.data);
}

TEST_F(EarlierRoundsTest, TheReferenceIsWhatUpdatesContain) {
  job_.previous = VersionRow{"fed", 1, Publish(0, /*with_head=*/true)};
  EXPECT_EQ(Open({}, "svd").Memory().reference, nullptr) << "not asked for";
  job_.method.relative_to_published = true;
  const EarlierRounds warm = Open({}, "svd");
  EXPECT_EQ(warm.Memory().reference->modules.size(), 1u);
  EXPECT_THAT(Tensors(*warm.Memory().reference), ElementsAre("base_model.model.head.weight"));
  // Changes are measured from nothing; values of their own are not.
  const EarlierRounds merged = Open({}, "stack");
  EXPECT_THAT(merged.Memory().reference->modules, IsEmpty());
  EXPECT_THAT(Tensors(*merged.Memory().reference), ElementsAre("base_model.model.head.weight"));
  job_.previous->whole = Publish(1);
  EXPECT_EQ(Open({}, "stack").Memory().reference, nullptr) << "then there is nothing to measure from";
}

TEST_F(EarlierRoundsTest, HistoriesAreThoseOfTheRoundsClientsAndGrowWithIt) {
  Contribute("a");
  Contribute("b");
  ASSERT_TRUE(Open({.history = true}).Extend({{"a", update_.adapter()}, {"b", update_.adapter()}}).ok());
  job_.version = 3;
  job_.contributions.pop_back();
  Contribute("c");
  EarlierRounds rounds = Open({.history = true});
  EXPECT_THAT(rounds.Memory().histories, ElementsAre(Pair("a", ::testing::NotNull())));
  ASSERT_TRUE(rounds.Extend({{"a", update_.adapter()}, {"c", update_.adapter()}}).ok());
  EXPECT_TRUE(std::filesystem::exists(directory_ / "history/fed/a@3.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "history/fed/b@2.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "history/fed/c@3.safetensors"));
}

TEST_F(EarlierRoundsTest, AFileThatIsGoneIsNamed) {
  job_.previous = VersionRow{"fed", 1, {"gone", 1, update_.bytes().config_json}};
  combine_ = *MakeAggregator("svd");
  const absl::Status status = EarlierRounds::Open(job_, {.last = true}, *combine_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("adapters/fed/gone.safetensors"));
}

}  // namespace
}  // namespace cairn
