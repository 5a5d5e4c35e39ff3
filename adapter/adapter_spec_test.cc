// Checks against a spec and of values (adapter_spec.cc).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "adapter/lora.h"
#include "base/limits.h"

namespace cairn {
namespace {

using testing::HasSubstr;

constexpr Layer kEmbedding{.kind = Layer::Kind::kEmbedding};
constexpr Layer kConv{.kind = Layer::Kind::kConv2d, .height = 3, .width = 2, .groups = 2};

AdapterSpec Spec() {
  return {"org/base", {{"a", 128, 256}, {"b", 3, 4}, {"c", 24, 6, kConv}, {"e", 50, 4, kEmbedding}}, {{"t", {2, 3}}}};
}

Adapter AdapterWith(const std::string& base, const std::vector<ModuleSpec>& modules,
                    const std::vector<TensorSpec>& tensors = {}) {
  Adapter adapter;
  adapter.config.base_model = base;
  for (const ModuleSpec& module : modules) {
    adapter.modules.push_back(
        {.name = module.name, .layer = module.layer, .d_in = module.d_in, .d_out = module.d_out, .rank = 8});
  }
  for (const TensorSpec& tensor : tensors)
    adapter.tensors.push_back({.view = {.name = tensor.name, .shape = tensor.shape}});
  return adapter;
}

TEST(SpecOf, IsWhatTheAdapterHas) {
  const AdapterSpec spec = SpecOf(AdapterWith("org/base", Spec().modules, Spec().tensors));
  EXPECT_EQ(spec.base_model, "org/base");
  EXPECT_EQ(spec.modules, Spec().modules);
  EXPECT_EQ(spec.tensors, Spec().tensors);
}

TEST(CheckAgainstSpec, AcceptsTheSameModulesOfAnyRank) {
  EXPECT_TRUE(CheckAgainstSpec(AdapterWith("org/base", Spec().modules), Spec()).ok());
  EXPECT_TRUE(CheckAgainstSpec(AdapterWith("", Spec().modules), Spec()).ok());
  AdapterSpec any_base = Spec();
  any_base.base_model.clear();
  EXPECT_TRUE(CheckAgainstSpec(AdapterWith("org/other", Spec().modules), any_base).ok());
}

TEST(CheckAgainstSpec, AcceptsAPart) {
  EXPECT_TRUE(CheckAgainstSpec(AdapterWith("", {{"b", 3, 4}}), Spec()).ok());
  EXPECT_TRUE(CheckAgainstSpec(AdapterWith("", {{"e", 50, 4, kEmbedding}}, {{"t", {2, 3}}}), Spec()).ok());
  EXPECT_TRUE(CheckAgainstSpec(AdapterWith("", {}, {{"t", {2, 3}}}), Spec()).ok());
}

TEST(CheckAgainstSpec, NamesTheDifference) {
  const auto message = [](const std::string& base, const std::vector<ModuleSpec>& modules,
                          const std::vector<TensorSpec>& tensors = {}) {
    const absl::Status status = CheckAgainstSpec(AdapterWith(base, modules, tensors), Spec());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message("", {{"a", 64, 256}, {"b", 3, 4}}),
            "module \"a\": lora_A.weight: expected [rank, 128], got [8, 64]");
  EXPECT_EQ(message("", {{"b", 3, 5}}), "module \"b\": lora_B.weight: expected [4, rank], got [5, 8]");
  EXPECT_EQ(message("", {{"aa", 1, 1}}), "module \"aa\": unknown: the federation does not train it");
  EXPECT_EQ(message("", {{"z", 1, 1}}), "module \"z\": unknown: the federation does not train it");
  EXPECT_EQ(message("org/x", Spec().modules), "base model: expected \"org/base\", got \"org/x\"");
  EXPECT_EQ(message("", {{"a", 128, 256, kEmbedding}}), "module \"a\": layer: expected linear, got embedding");
  EXPECT_EQ(message("", {{"c", 30, 6, kConv}}),
            "module \"c\": lora_A.weight: expected [rank, 4, 3, 2], got [8, 5, 3, 2]");
  EXPECT_EQ(message("", {{"c", 24, 8, kConv}}),
            "module \"c\": lora_B.weight: expected [6, rank / 2, 1, 1], got [8, 4, 1, 1]");
  EXPECT_EQ(message("", {{"e", 51, 4, kEmbedding}}),
            "module \"e\": lora_embedding_A: expected [rank, 50], got [8, 51]");
  EXPECT_EQ(message("", {}, {{"t", {3, 2}}}), "tensor \"t\": expected [2, 3], got [3, 2]");
  EXPECT_EQ(message("", {}, {{"u", {3, 2}}}), "tensor \"u\": unknown: the federation does not train it");
}

TEST(UnionOf, HasEverythingOnce) {
  const auto both = UnionOf({"", {{"a", 1, 2}, {"c", 3, 4}}, {{"t", {1}}}},
                            {"org/base", {{"b", 5, 6}, {"c", 3, 4}, {"d", 7, 8}}, {{"s", {2}}, {"t", {1}}}});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->base_model, "org/base");
  EXPECT_EQ(both->modules, (std::vector<ModuleSpec>{{"a", 1, 2}, {"b", 5, 6}, {"c", 3, 4}, {"d", 7, 8}}));
  EXPECT_EQ(both->tensors, (std::vector<TensorSpec>{{"s", {2}}, {"t", {1}}}));
  EXPECT_EQ(UnionOf(Spec(), {})->modules, Spec().modules);
  EXPECT_EQ(UnionOf({}, Spec())->tensors, Spec().tensors);
}

TEST(UnionOf, NamesWhatDiffers) {
  const auto message = [](const AdapterSpec& x, const AdapterSpec& y) {
    return std::string(UnionOf(x, y).status().message());
  };
  EXPECT_EQ(message({"", {{"a", 1, 2}}}, {"", {{"a", 3, 2}}}),
            "module \"a\": lora_A.weight: expected [rank, 1], got [rank, 3]");
  EXPECT_EQ(message({"", {}, {{"t", {1}}}}, {"", {}, {{"t", {2}}}}), "tensor \"t\": expected [1], got [2]");
  EXPECT_EQ(message({"x"}, {"y"}), "base model: expected \"x\", got \"y\"");
}

TEST(CheckSpec, AcceptsOnlyAscendingUniqueNamesAndSaneDimensions) {
  const auto check = [](std::vector<ModuleSpec> modules) {
    return std::string(CheckSpec({"", std::move(modules)}).message());
  };
  EXPECT_TRUE(CheckSpec(Spec()).ok());
  EXPECT_EQ(check({}), "adapter spec: expected at least one module or tensor");
  EXPECT_EQ(check({{"", 1, 1}}), "adapter spec: a module without a name");
  EXPECT_EQ(check({{"a", 1, 1}, {"a", 1, 1}}), "module \"a\": duplicate after \"a\"");
  EXPECT_EQ(check({{"b", 1, 1}, {"a", 1, 1}}), "module \"a\": not in ascending order after \"b\"");
  EXPECT_EQ(check({{"a", 0, 1}}), "module \"a\": d_in: expected 1 to 16777216, got 0");
  EXPECT_EQ(check({{"a", 1, limits::kModuleDimMax + 1}}), "module \"a\": d_out: expected 1 to 16777216, got 16777217");
  EXPECT_EQ(check({{"a", 25, 6, kConv}}), "module \"a\": layer: conv2d 3x2 groups 2 does not fit d_in 25 and d_out 6");
  EXPECT_EQ(check({{"a", 24, 5, kConv}}), "module \"a\": layer: conv2d 3x2 groups 2 does not fit d_in 24 and d_out 5");
}

TEST(CheckSpec, ChecksTensors) {
  const auto check = [](std::vector<TensorSpec> tensors) {
    return std::string(CheckSpec({"", {}, std::move(tensors)}).message());
  };
  EXPECT_EQ(check({{"a", {}}, {"b", {1, 2}}}), "");
  EXPECT_EQ(check({{"", {1}}}), "adapter spec: a tensor without a name");
  EXPECT_EQ(check({{"b", {1}}, {"a", {1}}}), "tensor \"a\": not in ascending order after \"b\"");
  EXPECT_EQ(check({{"a", {0}}}), "tensor \"a\": shape: expected positive dimensions, got [0]");
  EXPECT_EQ(check({{"a\n", {1}}}), "tensor \"a\\n\": name: control character");
}

// Views of floats that a test can change.
struct Values {
  std::vector<float> floats;
  TensorView View(std::string name, std::vector<std::int64_t> shape) const {
    return {.name = std::move(name),
            .shape = std::move(shape),
            .data = {reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)}};
  }
};

TEST(CheckFinite, NamesModuleTensorAndIndex) {
  Values a{{1, 2, 3, 4}}, b{{1, 2}}, core{{1, 2, 3, 4}}, tensor{{1, 2, 3}};
  const std::string mask = "\xff\xff\xff\xff";
  Adapter adapter{.modules = {{.name = "q",
                               .d_in = 2,
                               .d_out = 1,
                               .rank = 2,
                               .a = a.View("a", {2, 2}),
                               .b = b.View("b", {1, 2}),
                               .core = core.View("core", {2, 2})}},
                  .tensors = {{.view = {.name = "mask", .dtype = DType::kI32, .shape = {1}, .data = mask}},
                              {.view = tensor.View("t", {3})}}};
  EXPECT_TRUE(CheckFinite(adapter).ok());
  tensor.floats[1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(CheckFinite(adapter).message(), "tensor \"t\": expected finite values, got inf at index 1");
  core.floats[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(CheckFinite(adapter).message(),
            "module \"q\": lora_latent_mapping.weight: expected finite values, got inf at index 3");
  b.floats[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(CheckFinite(adapter).message(), "module \"q\": lora_B.weight: expected finite values, got nan at index 1");
  a.floats[3] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(CheckFinite(adapter).message(), "module \"q\": lora_A.weight: expected finite values, got -inf at index 3");
  adapter.modules[0].layer = kEmbedding;
  EXPECT_THAT(std::string(CheckFinite(adapter).message()), HasSubstr("lora_embedding_A: expected finite"));
  EXPECT_EQ(CheckFinite(adapter).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
