#include "adapter/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using testing::HasSubstr;

constexpr char kIa3[] = R"({"peft_type": "IA3", "base_model_name_or_path": "org/base"})";
constexpr char kDora[] = R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "use_dora": true})";

class DirectoryTest : public testing::Test {
 protected:
  void Write(const std::string& file, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / file, bytes).ok());
  }
  // Tensors of [1, 1] with the value 0.5.
  static std::string FileOf(const std::vector<std::string>& names) {
    static constexpr float kHalf = 0.5f;
    std::vector<TensorView> tensors;
    for (const std::string& name : names) {
      tensors.push_back({.name = name, .shape = {1, 1}, .data = {reinterpret_cast<const char*>(&kHalf), sizeof kHalf}});
    }
    return *SerializeSafetensors(tensors);
  }
  void WriteLora() {
    Write(kAdapterConfigFile, SerializePeftConfig(UnitScaleConfig({.base_model = "org/base"}, {{"q", 1}})));
    Write(kAdapterModelFile, FileOf({LoraAName("q"), LoraBName("q")}));
  }

  TestDirectory directory_;
};

TEST_F(DirectoryTest, OpensALora) {
  WriteLora();
  auto opened = OpenAdapterDirectory(directory_.path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  const StoredAdapter stored = *std::move(opened);
  ASSERT_EQ(stored.adapter.modules.size(), 1u);
  EXPECT_EQ(stored.adapter.config.base_model, "org/base");
  float value = 0;
  ToFloat(DType::kF32, stored.adapter.modules[0].b.data.data(), 1, &value);
  EXPECT_EQ(value, 0.5f);
}

TEST_F(DirectoryTest, OpensShards) {
  WriteLora();
  std::filesystem::remove(directory_ / kAdapterModelFile);
  Write("adapter_model-00001-of-00002.safetensors", FileOf({LoraAName("q")}));
  Write("adapter_model-00002-of-00002.safetensors", FileOf({LoraBName("q")}));
  Write("adapter_model.safetensors.index.json",
        absl::StrCat(R"({"weight_map": {")", LoraAName("q"), R"(": "adapter_model-00001-of-00002.safetensors", ")",
                     LoraBName("q"), R"(": "adapter_model-00002-of-00002.safetensors"}})"));
  const auto stored = OpenAdapterDirectory(directory_.path());
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->adapter.modules.size(), 1u);
  EXPECT_EQ(stored->files.shards().size(), 2u);
}

TEST_F(DirectoryTest, OpensOtherKindsAsTensors) {
  Write(kAdapterConfigFile, kIa3);
  Write(kAdapterModelFile, FileOf({"base_model.model.k.ia3_l"}));
  const auto stored = OpenAdapterPath(directory_.path());
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->adapter.config.kind, AdapterKind::kAveraged);
  EXPECT_EQ(stored->adapter.config.json, kIa3);
  EXPECT_EQ(stored->adapter.tensors.at(0).view.name, "base_model.model.k.ia3_l");
}

TEST_F(DirectoryTest, ReadsAnyKindAsTensorsWhenAsked) {
  WriteLora();
  const auto lora = OpenAdapterDirectory(directory_.path(), ReadAs::kTensors);
  ASSERT_TRUE(lora.ok()) << lora.status();
  EXPECT_TRUE(lora->adapter.modules.empty());
  EXPECT_EQ(lora->adapter.tensors.size(), 2u);
  EXPECT_EQ(lora->adapter.config.kind, AdapterKind::kAveraged);
  EXPECT_THAT(SerializePeftConfig(lora->adapter.config), HasSubstr("\"LORA\""));

  Write(kAdapterConfigFile, kDora);
  EXPECT_EQ(OpenAdapterPath(directory_.path())->adapter.config.kind, AdapterKind::kBilinear);
  EXPECT_EQ(OpenAdapterPath(directory_.path(), ReadAs::kTensors)->adapter.config.kind, AdapterKind::kAveraged);
}

TEST_F(DirectoryTest, OpensABareFile) {
  Write("x.safetensors", FileOf({"b", "a"}));
  const auto stored = OpenAdapterPath(directory_ / "x.safetensors");
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->adapter.config.kind, AdapterKind::kAveraged);
  EXPECT_EQ(stored->adapter.config.peft_type, "");
  EXPECT_EQ(stored->adapter.config.json, "");
  EXPECT_EQ(stored->adapter.tensors.size(), 2u);
}

TEST_F(DirectoryTest, NamesTheFileInErrors) {
  EXPECT_THAT(std::string(OpenAdapterDirectory(directory_.path()).status().message()), HasSubstr(kAdapterConfigFile));
  Write(kAdapterConfigFile, kIa3);
  EXPECT_EQ(OpenAdapterDirectory(directory_.path()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenAdapterPath(directory_ / "none").status().code(), absl::StatusCode::kNotFound);
  Write(kAdapterModelFile, "short");
  EXPECT_EQ(OpenAdapterDirectory(directory_.path()).status().message(),
            absl::StrCat((directory_ / kAdapterModelFile).native(),
                         ": safetensors header: expected at least 8 bytes, got 5"));
  WriteLora();
  Write(kAdapterModelFile, FileOf({LoraAName("q")}));
  EXPECT_EQ(OpenAdapterDirectory(directory_.path()).status().message(),
            absl::StrCat(directory_.path().native(), ": module \"q\": lora_B.weight: missing"));
  const std::string config = (directory_ / kAdapterConfigFile).native();
  Write(kAdapterConfigFile, R"({"peft_type": "LORA", "r": 0})");
  EXPECT_THAT(std::string(OpenAdapterPath(directory_.path()).status().message()),
              testing::StartsWith(absl::StrCat(config, ": r: expected an integer")));
  Write(kAdapterConfigFile, R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "rank_pattern": {"(": 2}})");
  EXPECT_THAT(std::string(OpenAdapterPath(directory_.path()).status().message()),
              testing::StartsWith(absl::StrCat(config, ": pattern \"(\"")));
}

}  // namespace
}  // namespace cairn
