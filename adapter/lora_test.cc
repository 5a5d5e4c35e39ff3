#include "adapter/lora.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Tensors of ones by name, in one file; those of other types are bytes of 0.
struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  DType dtype = DType::kF32;
};
std::string FileOf(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  std::list<std::string> data;
  for (const Tensor& tensor : tensors) {
    TensorView view{.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape};
    const std::vector<float> ones(view.elements(), 1.0f);
    std::string& bytes = data.emplace_back(ones.size() * SizeOf(tensor.dtype), '\0');
    if (IsFloat(tensor.dtype)) FromFloat(tensor.dtype, ones.data(), ones.size(), bytes.data());
    view.data = bytes;
    views.push_back(view);
  }
  return *SerializeSafetensors(views);
}

PeftConfig Config(std::int64_t rank, double alpha) {
  PeftConfig config;
  config.rank = rank;
  config.alpha = alpha;
  return config;
}

std::vector<Tensor> Module(const std::string& name, std::int64_t d_in, std::int64_t d_out, std::int64_t rank,
                           const Layer& layer = {}) {
  return {{LoraAName(name, layer), LoraAShape(layer, d_in, rank)},
          {LoraBName(name, layer), LoraBShape(layer, d_out, rank)}};
}

std::vector<Tensor> Join(std::vector<Tensor> tensors, const std::vector<Tensor>& others) {
  tensors.insert(tensors.end(), others.begin(), others.end());
  return tensors;
}

std::string InModel(absl::string_view name) { return absl::StrCat(kPeftPrefix, name); }

std::string MessageOf(const std::vector<Tensor>& tensors, const PeftConfig& config) {
  const auto adapter = ParseAdapter(FileOf(tensors), config);
  EXPECT_TRUE(adapter.ok() || absl::IsInvalidArgument(adapter.status())) << adapter.status();
  return std::string(adapter.status().message());
}

std::string TwoModules() { return FileOf(Join(Module("layers.1.q", 3, 4, 2), Module("layers.0.q", 5, 6, 2))); }

TEST(ParseAdapter, ShowsModulesByNameWithTheirScale) {
  PeftConfig config = Config(2, 4);
  config.alpha_pattern = {{"layers.1.q", 1}};
  const std::string bytes = TwoModules();
  const auto adapter = ParseAdapter(bytes, config);
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  ASSERT_EQ(adapter->modules.size(), 2u);
  const LoraModule& first = adapter->modules[0];
  EXPECT_EQ(first.name, "layers.0.q");
  EXPECT_EQ(first.d_in, 5);
  EXPECT_EQ(first.d_out, 6);
  EXPECT_EQ(first.rank, 2);
  EXPECT_EQ(first.scale, 2);
  EXPECT_EQ(first.a.data.size(), 2 * 5 * sizeof(float));
  EXPECT_EQ(first.b.data.size(), 6 * 2 * sizeof(float));
  EXPECT_GE(first.a.data.data(), bytes.data());
  EXPECT_EQ(adapter->modules[1].scale, 0.5);
}

TEST(DescribeAdapter, SaysTheSameWithoutData) {
  const std::string bytes = TwoModules();
  const auto header = ReadSafetensorsHeader(bytes, bytes.size());
  const auto adapter = DescribeAdapter(*header, Config(2, 4));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_EQ(SpecOf(*adapter).modules, SpecOf(*ParseAdapter(bytes, Config(2, 4))).modules);
  EXPECT_TRUE(adapter->modules[0].a.data.empty());
  EXPECT_EQ(adapter->modules[0].a.elements(), 10);
}

struct BadAdapter {
  std::vector<Tensor> tensors;
  const char* message;
};

TEST(ParseAdapter, RefusesWhatIsNoPlainLora) {
  const BadAdapter adapters[] = {
      {{}, "the adapter has no tensors"},
      {{{"model.embed.weight", {4, 4}}, {"model.q.weight", {4, 4}}},
       "a full state dict instead of an adapter: none of 2 tensors is a LoRA factor "
       "(base_model.model.<module>.lora_A.weight); the first is \"model.embed.weight\""},
      {{{LoraAName("q"), {2, 3}}, {"base_model.model.lm_head.weight", {4, 4}}},
       "tensor \"base_model.model.lm_head.weight\": expected base_model.model.<module>.lora_A.weight or "
       ".lora_B.weight, "
       "or a tensor that adapter_config.json announces (bias, lora_bias, modules_to_save)"},
      {{{"base_model.model.q.lora_A.default.weight", {2, 3}}},
       "tensor \"base_model.model.q.lora_A.default.weight\": expected base_model.model.<module>"},
      {{{"q.lora_A.weight", {2, 3}}}, "tensor \"q.lora_A.weight\": expected base_model.model.<module>"},
      {{{"base_model.model..lora_A.weight", {2, 3}}}, "tensor \"base_model.model..lora_A.weight\": expected"},
      {{{"base_model.model.q.lora_magnitude_vector", {2}}}, "lora_magnitude_vector\": expected base_model.model."},
      {{{LoraAName("q"), {2, 3}}}, "module \"q\": lora_B.weight: missing"},
      {{{LoraBName("q"), {4, 2}}}, "module \"q\": lora_A.weight: missing"},
      {{{LoraAName("q"), {6}}, {LoraBName("q"), {4, 2}}},
       "module \"q\": lora_A.weight: expected [rank, d_in] with dimensions up to 16777216, got [6]"},
      {{{LoraAName("q"), {2, 3}}, {InModel("q.lora_B.weight"), {4, 2, 1, 1}}},
       "module \"q\": lora_B.weight: expected [d_out, rank] with dimensions up to 16777216, got [4, 2, 1, 1]"},
      {{{LoraAName("q"), {8, 3}}, {LoraBName("q"), {4, 8}}},
       "module \"q\": lora_A.weight: expected [2, 3] as adapter_config.json gives rank 2, got [8, 3]"},
      {{{LoraAName("q"), {2, 3}}, {LoraBName("q"), {4, 3}}},
       "module \"q\": lora_B.weight: expected [4, 2] as adapter_config.json gives rank 2, got [4, 3]"},
      {{{LoraAName("q"), {2, 3}, DType::kI32}, {LoraBName("q"), {4, 2}}},
       "module \"q\": lora_A.weight: expected F64, F32, F16 or BF16, got I32"},
      {{{LoraAName("q"), {2, 3, 3}}, {LoraBName("q"), {4, 2, 1}}},
       "module \"q\": lora_A.weight: a 1-d convolution, [2, 3, 3]; only 2-d ones are supported"},
      {{{LoraAName("q"), {2, 3, 3, 3, 3}}, {LoraBName("q"), {4, 2, 1, 1, 1}}}, "lora_A.weight: a 3-d convolution"},
      {{{LoraAName("q"), {2, 3}}, {InModel("q.lora_embedding_B"), {4, 2}}},
       "module \"q\": lora_embedding_B: an embedding's factor beside another layer's"},
      {{{InModel("q.lora_embedding_A"), {2, 3}}, {InModel("q.lora_embedding_B"), {4, 3}}},
       "module \"q\": lora_embedding_B: expected [4, 2] as adapter_config.json gives rank 2, got [4, 3]"},
      {{{LoraAName("q"), {2, 3, 5, 5}}, {LoraBName("q"), {4, 2, 3, 3}}},
       "module \"q\": lora_B.weight: expected [4, 2, 1, 1] as adapter_config.json gives rank 2, got [4, 2, 3, 3]"},
      {{{LoraAName("q"), {2, 3, 5, 5}}, {LoraBName("q"), {3, 1, 1, 1}}},
       "module \"q\": lora_B.weight: expected [3, 2, 1, 1] as adapter_config.json gives rank 2, got [3, 1, 1, 1]"},
      {{{LoraAName("q"), {2, 1 << 12, 1 << 12, 2}}, {LoraBName("q"), {4, 2, 1, 1}}},
       "module \"q\": lora_A.weight: expected [rank, channels, height, width] with dimensions up to 16777216, got "
       "[2, "},
      {{{LoraAName("\xc3\xa9"), {2, 3}}, {LoraBName("\xc3\xa9"), {4, 2}}},
       "module \"\\xc3\\xa9\": name: expected printable ASCII"},
  };
  for (const BadAdapter& bad : adapters) {
    SafetensorsHeader header;  // Without data: some are too large to be made.
    for (const Tensor& tensor : bad.tensors) header.tensors.push_back({tensor.name, tensor.dtype, tensor.shape});
    const auto adapter = DescribeAdapter(header, Config(2, 2));
    EXPECT_EQ(adapter.status().code(), absl::StatusCode::kInvalidArgument) << bad.message;
    EXPECT_THAT(std::string(adapter.status().message()), HasSubstr(bad.message));
  }
}

TEST(ParseAdapter, PassesOnWhatTheConfigGetsWrong) {
  PeftConfig config = Config(2, 2);
  config.rank_pattern = {{"(", 2}};
  EXPECT_THAT(std::string(ParseAdapter(TwoModules(), config).status().message()), HasSubstr("pattern \"(\""));
}

TEST(DescribeAdapter, BoundsDimensions) {
  const auto describe = [](std::int64_t d_in) {
    const auto preamble = SafetensorsPreamble(
        {{.name = LoraAName("q"), .shape = {1, d_in}}, {.name = LoraBName("q"), .shape = {1, 1}}}, {});
    const auto header = ReadSafetensorsHeader(*preamble, preamble->size() + 4 * (d_in + 1));
    return DescribeAdapter(*header, Config(1, 1)).status();
  };
  EXPECT_TRUE(describe(limits::kModuleDimMax).ok());
  EXPECT_THAT(std::string(describe(limits::kModuleDimMax + 1).message()), HasSubstr("got [1, 16777217]"));
}

TEST(ParseAdapter, ReadsEmbeddings) {
  const Layer embedding{.kind = Layer::Kind::kEmbedding};
  const std::string bytes = FileOf(Module("wte", 50, 8, 2, embedding));
  const auto adapter = ParseAdapter(bytes, Config(2, 4));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  const LoraModule& module = adapter->modules.at(0);
  EXPECT_EQ(module.layer, embedding);
  EXPECT_EQ(module.d_in, 50);
  EXPECT_EQ(module.d_out, 8);
  EXPECT_EQ(module.a.name, "base_model.model.wte.lora_embedding_A");
  EXPECT_THAT(module.b.shape, ElementsAre(8, 2));
}

TEST(ParseAdapter, ReadsConvolutionsAsMatrices) {
  const Layer conv{.kind = Layer::Kind::kConv2d, .height = 5, .width = 3};
  const std::string bytes = FileOf(Module("conv", 4 * 15, 6, 2, conv));
  const auto adapter = ParseAdapter(bytes, Config(2, 2));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  const LoraModule& module = adapter->modules.at(0);
  EXPECT_EQ(NameOf(module.layer), "conv2d 5x3");
  EXPECT_EQ(module.d_in, 60);
  EXPECT_EQ(module.d_out, 6);
  EXPECT_THAT(module.a.shape, ElementsAre(2, 60));
  EXPECT_THAT(module.b.shape, ElementsAre(6, 2));
}

TEST(ParseAdapter, TellsGroupsByTheWidthOfB) {
  const Layer conv{.kind = Layer::Kind::kConv2d, .height = 1, .width = 1, .groups = 4};
  const std::string bytes = FileOf(Module("conv", 12, 8, 4, conv));
  const auto adapter = ParseAdapter(bytes, Config(4, 4));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  const LoraModule& module = adapter->modules.at(0);
  EXPECT_EQ(module.layer, conv);
  EXPECT_THAT(module.b.shape, ElementsAre(8, 1));
  const LoraModule third = GroupOf(module, 2);
  EXPECT_EQ(third.rank, 1);
  EXPECT_EQ(third.d_out, 2);
  EXPECT_EQ(third.layer.groups, 1);
  EXPECT_THAT(third.a.shape, ElementsAre(1, 12));
  EXPECT_THAT(third.b.shape, ElementsAre(2, 1));
  EXPECT_EQ(third.a.data.data(), module.a.data.data() + 2 * 12 * sizeof(float));
  EXPECT_EQ(third.b.data.data(), module.b.data.data() + 4 * sizeof(float));
  EXPECT_EQ(third.b.data.size(), 2 * sizeof(float));
}

TEST(ParseAdapter, FactorsMayDifferInType) {
  std::vector<Tensor> tensors = Module("q", 3, 4, 2);
  tensors[0].dtype = DType::kBF16;
  tensors[1].dtype = DType::kF64;
  const auto adapter = ParseAdapter(FileOf(tensors), Config(2, 2));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_EQ(adapter->modules[0].a.dtype, DType::kBF16);
}

TEST(ParseAdapter, ReadsCores) {
  for (const char* name : {"q.lora_latent_mapping.weight", "q.default_lora_latent_mapping.weight"}) {
    const std::string bytes = FileOf(Join(Module("q", 3, 4, 2), {{InModel(name), {2, 2}}}));
    const auto adapter = ParseAdapter(bytes, Config(2, 2));
    ASSERT_TRUE(adapter.ok()) << adapter.status();
    ASSERT_TRUE(adapter->modules.at(0).core.has_value());
    EXPECT_EQ(adapter->modules[0].core->name, InModel(name));
    EXPECT_TRUE(adapter->tensors.empty());
  }
}

TEST(ParseAdapter, RefusesWrongCores) {
  const Tensor core{InModel("q.lora_latent_mapping.weight"), {2, 2}};
  EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2), {{core.name, {2, 3}}}), Config(2, 2)),
              HasSubstr("module \"q\": lora_latent_mapping.weight: expected [2, 2]"));
  EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2), {core, {InModel("q.default_lora_latent_mapping.weight"), {2, 2}}}),
                        Config(2, 2)),
              HasSubstr("lora_latent_mapping.weight: two of them"));
  EXPECT_THAT(MessageOf({core}, Config(2, 2)), HasSubstr("module \"q\": lora_A.weight: missing"));
  const Layer conv{.kind = Layer::Kind::kConv2d};
  EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2, conv), {core}), Config(2, 2)),
              HasSubstr("expected a linear layer, got conv2d 1x1"));
}

TEST(ParseAdapter, TakesBiasesThatTheConfigAnnounces) {
  const std::vector<Tensor> tensors =
      Join(Module("q", 3, 4, 2), {{InModel("q.base_layer.bias"), {4}}, {InModel("norm.bias"), {3}}});
  EXPECT_THAT(MessageOf(tensors, Config(2, 2)), HasSubstr("norm.bias\": expected base_model.model.<module>"));
  for (const auto bias : {PeftConfig::Bias::kAll, PeftConfig::Bias::kLoraOnly}) {
    PeftConfig config = Config(2, 2);
    config.bias = bias;
    const auto adapter = ParseAdapter(FileOf(tensors), config);
    ASSERT_TRUE(adapter.ok()) << adapter.status();
    ASSERT_EQ(adapter->tensors.size(), 2u);
    EXPECT_EQ(adapter->tensors[0].view.name, InModel("norm.bias"));
    EXPECT_TRUE(adapter->tensors[0].absolute);
    EXPECT_EQ(adapter->tensors[0].scale, 1);
  }
}

// T5 has a weight with "bias" in its name, and PEFT trains it with bias "all".
TEST(ParseAdapter, TakesRelativeAttentionBiasesWithAll) {
  const std::vector<Tensor> tensors = Join(Module("q", 3, 4, 2), {{InModel("relative_attention_bias.weight"), {4, 4}}});
  PeftConfig config = Config(2, 2);
  config.bias = PeftConfig::Bias::kLoraOnly;
  EXPECT_NE(MessageOf(tensors, config), "");
  config.bias = PeftConfig::Bias::kAll;
  EXPECT_EQ(MessageOf(tensors, config), "");
}

TEST(ParseAdapter, TakesTheBiasOfAFactorWithItsScale) {
  const std::vector<Tensor> tensors = Join(Module("q", 3, 4, 2), {{InModel("q.lora_B.bias"), {4}}});
  EXPECT_THAT(MessageOf(tensors, Config(2, 2)), HasSubstr("module \"q\": lora_B.bias: expected none"));
  PeftConfig config = Config(2, 8);
  config.lora_bias = true;
  const auto adapter = ParseAdapter(FileOf(tensors), config);
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  ASSERT_EQ(adapter->tensors.size(), 1u);
  EXPECT_EQ(adapter->tensors[0].scale, 4);
  EXPECT_FALSE(adapter->tensors[0].absolute);
  EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2), {{InModel("q.lora_B.bias"), {3}}}), config),
              HasSubstr("lora_B.bias: expected [4], got [3]"));
}

TEST(ParseAdapter, TakesModulesToSaveAndAllThatIsInside) {
  PeftConfig config = Config(2, 2);
  config.modules_to_save = {"head", "model.norm"};
  // PEFT compares ends of paths, so "head" is lm_head too.
  for (const char* name :
       {"head.weight", "lm_head.weight", "x.head.bias", "head.dense.weight", "y.model.norm.weight"}) {
    EXPECT_EQ(MessageOf(Join(Module("q", 3, 4, 2), {{InModel(name), {3}}}), config), "") << name;
  }
  for (const char* name : {"heads.weight", "head", "norm.weight", "model.norms.weight"}) {
    EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2), {{InModel(name), {3}}}), config), HasSubstr("announces")) << name;
  }
  EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2), {{"head.weight", {3}}}), config), HasSubstr("announces"));
}

// PEFT saves an embedding's weights with it when its name is embed_tokens or lm_head.
TEST(ParseAdapter, TakesTheWeightsOfAnAdaptedLayer) {
  const Layer embedding{.kind = Layer::Kind::kEmbedding};
  const std::vector<Tensor> tensors =
      Join(Module("embed_tokens", 5, 4, 2, embedding), {{InModel("embed_tokens.base_layer.weight"), {5, 4}}});
  const auto adapter = ParseAdapter(FileOf(tensors), Config(2, 2));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_TRUE(adapter->tensors.at(0).absolute);
  EXPECT_THAT(MessageOf(Join(Module("q", 3, 4, 2), {{InModel("k.base_layer.weight"), {4, 3}}}), Config(2, 2)),
              HasSubstr("announces"));
}

TEST(ParseAdapter, OfAnotherKindIsTensors) {
  PeftConfig config;
  config.kind = AdapterKind::kAveraged;
  const auto adapter = ParseAdapter(
      FileOf({{"b.ia3_l", {4, 1}, DType::kF16}, {"a", {3}}, {LoraAName("q"), {2, 3}}, {"mask", {2}, DType::kBool}}),
      config);
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_TRUE(adapter->modules.empty());
  std::vector<std::string> names;
  for (const DenseTensor& tensor : adapter->tensors) names.push_back(tensor.view.name);
  EXPECT_THAT(names, ElementsAre("a", "b.ia3_l", LoraAName("q"), "mask"));
  EXPECT_EQ(MessageOf({}, config), "the adapter has no tensors");
}

TEST(Layer, NamesRoundTrip) {
  using Kind = Layer::Kind;
  for (const Layer& layer : {Layer{}, Layer{.kind = Kind::kEmbedding}, Layer{.kind = Kind::kConv2d},
                             Layer{.kind = Kind::kConv2d, .height = 3, .width = 5},
                             Layer{.kind = Kind::kConv2d, .height = 7, .width = 7, .groups = 32}}) {
    const auto again = LayerFromName(NameOf(layer));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, layer);
  }
  EXPECT_EQ(NameOf(Layer{.kind = Kind::kConv2d, .height = 3, .width = 3, .groups = 4}), "conv2d 3x3 groups 4");
}

TEST(Layer, OtherNamesAreRefused) {
  for (const char* name :
       {"", "Linear", "linear ", "conv2d", "conv2d 3", "conv2d 0x3", "conv2d 3x-1", "conv2d 3x3 groups",
        "conv2d 3x3 groups 0", "conv2d 3x3 groups 1", "conv2d 03x3", "conv2d 3x3 groups 2 x"}) {
    EXPECT_EQ(LayerFromName(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace cairn
