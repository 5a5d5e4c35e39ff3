#include "adapter/lora.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

using testing::HasSubstr;

// Tensors of ones by name, in one file.
struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
};
std::string FileOf(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  std::vector<std::vector<float>> data;
  for (const Tensor& tensor : tensors) {
    TensorView view{.name = tensor.name, .shape = tensor.shape};
    data.emplace_back(view.elements(), 1.0f);
    view.data = {reinterpret_cast<const char*>(data.back().data()), data.back().size() * sizeof(float)};
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

std::vector<Tensor> Module(const std::string& name, std::int64_t d_in, std::int64_t d_out, std::int64_t rank) {
  return {{LoraAName(name), {rank, d_in}}, {LoraBName(name), {d_out, rank}}};
}

std::string TwoModules() {
  std::vector<Tensor> tensors = Module("layers.1.q", 3, 4, 2);
  for (Tensor& tensor : Module("layers.0.q", 5, 6, 2)) tensors.push_back(tensor);
  return FileOf(tensors);
}

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
       ".lora_B.weight"},
      {{{"base_model.model.q.lora_A.default.weight", {2, 3}}},
       "tensor \"base_model.model.q.lora_A.default.weight\": expected base_model.model.<module>"},
      {{{"q.lora_A.weight", {2, 3}}}, "tensor \"q.lora_A.weight\": expected base_model.model.<module>"},
      {{{"base_model.model..lora_A.weight", {2, 3}}}, "tensor \"base_model.model..lora_A.weight\": expected"},
      {{{"base_model.model.q.lora_magnitude_vector", {2}}}, "lora_magnitude_vector\": expected base_model.model."},
      {{{LoraAName("q"), {2, 3}}}, "module \"q\": lora_B.weight: missing"},
      {{{LoraBName("q"), {4, 2}}}, "module \"q\": lora_A.weight: missing"},
      {{{LoraAName("q"), {6}}, {LoraBName("q"), {4, 2}}},
       "module \"q\": lora_A.weight: expected [rank, d_in] with dimensions up to 16777216, got [6]"},
      {{{LoraAName("q"), {2, 3}}, {LoraBName("q"), {4, 2, 1, 1}}},
       "module \"q\": lora_B.weight: expected [d_out, rank] with dimensions up to 16777216, got [4, 2, 1, 1]"},
      {{{LoraAName("q"), {8, 3}}, {LoraBName("q"), {4, 8}}},
       "module \"q\": lora_A.weight: expected [2, 3] as adapter_config.json gives rank 2, got [8, 3]"},
      {{{LoraAName("q"), {2, 3}}, {LoraBName("q"), {4, 3}}},
       "module \"q\": lora_B.weight: expected [4, 2] as adapter_config.json gives rank 2, got [4, 3]"},
      {{{LoraAName("\xc3\xa9"), {2, 3}}, {LoraBName("\xc3\xa9"), {4, 2}}},
       "module \"\\xc3\\xa9\": name: expected printable ASCII"},
  };
  for (const BadAdapter& bad : adapters) {
    const auto adapter = ParseAdapter(FileOf(bad.tensors), Config(2, 2));
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

AdapterSpec Spec() { return {"org/base", {{"a", 128, 256}, {"b", 3, 4}}}; }

Adapter Adapter(const std::string& base, const std::vector<ModuleSpec>& modules) {
  Adapter adapter;
  adapter.config.base_model = base;
  for (const ModuleSpec& module : modules) {
    adapter.modules.push_back({.name = module.name, .d_in = module.d_in, .d_out = module.d_out, .rank = 8});
  }
  return adapter;
}

TEST(CheckAgainstSpec, AcceptsTheSameModulesOfAnyRank) {
  EXPECT_TRUE(CheckAgainstSpec(Adapter("org/base", Spec().modules), Spec()).ok());
  EXPECT_TRUE(CheckAgainstSpec(Adapter("", Spec().modules), Spec()).ok());
  AdapterSpec any_base = Spec();
  any_base.base_model.clear();
  EXPECT_TRUE(CheckAgainstSpec(Adapter("org/other", Spec().modules), any_base).ok());
}

TEST(CheckAgainstSpec, NamesTheDifference) {
  const auto message = [](const std::string& base, const std::vector<ModuleSpec>& modules) {
    const absl::Status status = CheckAgainstSpec(Adapter(base, modules), Spec());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message("", {{"a", 64, 256}, {"b", 3, 4}}),
            "module \"a\": lora_A.weight: expected [rank, 128], got [8, 64]");
  EXPECT_EQ(message("", {{"a", 128, 256}, {"b", 3, 5}}), "module \"b\": lora_B.weight: expected [4, rank], got [5, 8]");
  EXPECT_EQ(message("", {{"a", 128, 256}}), "module \"b\": missing from the adapter");
  EXPECT_EQ(message("", {{"b", 3, 4}}), "module \"a\": missing from the adapter");
  EXPECT_EQ(message("", {}), "module \"a\": missing from the adapter");
  EXPECT_EQ(message("", {{"a", 128, 256}, {"aa", 1, 1}, {"b", 3, 4}}),
            "module \"aa\": unknown: the federation does not train it");
  EXPECT_EQ(message("", {{"a", 128, 256}, {"b", 3, 4}, {"c", 1, 1}}),
            "module \"c\": unknown: the federation does not train it");
  EXPECT_EQ(message("org/x", Spec().modules), "base model: expected \"org/base\", got \"org/x\"");
}

TEST(CheckSpec, AcceptsOnlyAscendingUniqueNamesAndSaneDimensions) {
  const auto check = [](std::vector<ModuleSpec> modules) {
    return std::string(CheckSpec({"", std::move(modules)}).message());
  };
  EXPECT_TRUE(CheckSpec(Spec()).ok());
  EXPECT_EQ(check({}), "adapter spec: expected at least one module");
  EXPECT_EQ(check({{"", 1, 1}}), "adapter spec: a module without a name");
  EXPECT_EQ(check({{"a", 1, 1}, {"a", 1, 1}}), "module \"a\": duplicate after \"a\"");
  EXPECT_EQ(check({{"b", 1, 1}, {"a", 1, 1}}), "module \"a\": not in ascending order after \"b\"");
  EXPECT_EQ(check({{"a", 0, 1}}), "module \"a\": d_in: expected 1 to 16777216, got 0");
  EXPECT_EQ(check({{"a", 1, limits::kModuleDimMax + 1}}), "module \"a\": d_out: expected 1 to 16777216, got 16777217");
}

TEST(CheckFinite, NamesModuleTensorAndIndex) {
  std::string bytes = TwoModules();
  const auto adapter = ParseAdapter(bytes, Config(2, 2));
  EXPECT_TRUE(CheckFinite(*adapter).ok());
  const auto poke = [&](const TensorView& tensor, std::size_t index, float value) {
    std::memcpy(bytes.data() + (tensor.data.data() - bytes.data()) + index * sizeof value, &value, sizeof value);
  };
  poke(adapter->modules[1].b, 7, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(CheckFinite(*adapter).message(),
            "module \"layers.1.q\": lora_B.weight: expected finite values, got nan at index 7");
  poke(adapter->modules[0].a, 3, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(CheckFinite(*adapter).message(),
            "module \"layers.0.q\": lora_A.weight: expected finite values, got -inf at index 3");
  EXPECT_EQ(CheckFinite(*adapter).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
