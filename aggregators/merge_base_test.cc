#include "aggregators/merge_base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "adapter/safetensors.h"
#include "aggregators/base_names.h"
#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// A tensor of a model: shape and values.
struct Weight {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using Weights = std::map<std::string, Weight>;

Weight Some(std::vector<std::int64_t> shape, int seed) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  Weight weight{std::move(shape), {}};
  for (std::int64_t i = 0; i < count; ++i)
    weight.values.push_back(static_cast<float>((i * 31 + seed * 7) % 23) / 8 - 1);
  return weight;
}

std::string FileOf(const Weights& weights, DType dtype = DType::kF32) {
  std::vector<TensorView> tensors;
  std::vector<std::string> data;
  data.reserve(weights.size());
  for (const auto& [name, weight] : weights) {
    std::string& bytes = data.emplace_back(weight.values.size() * SizeOf(dtype), '\0');
    FromFloat(dtype, weight.values.data(), weight.values.size(), bytes.data());
    tensors.push_back({name, dtype, weight.shape, bytes});
  }
  return SerializeSafetensors(tensors, {{"format", "pt"}}).value();
}

std::vector<double> ValuesIn(const TensorView& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  ToDouble(tensor.dtype, tensor.data.data(), values.size(), values.data());
  return values;
}

const TensorView* Find(const TensorFiles& files, const std::string& name) {
  for (const TensorView& tensor : files.tensors()) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

CombinedModule ModuleOf(const ModuleSpec& spec, std::int64_t rank) {
  const Weight a = Some({rank, spec.d_in}, 5), b = Some({spec.d_out, rank}, 6);
  return {
      .spec = spec, .rank = rank, .a = ValuesOf(a.values, rank, spec.d_in), .b = ValuesOf(b.values, spec.d_out, rank)};
}

// Entry (i, j) of B A.
double Entry(const CombinedModule& module, std::int64_t i, std::int64_t j) {
  const std::vector<double> a = ReadAllDouble(*module.a), b = ReadAllDouble(*module.b);
  double sum = 0;
  for (std::int64_t r = 0; r < module.rank; ++r) sum += b[i * module.rank + r] * a[r * module.spec.d_in + j];
  return sum;
}

class MergeBaseTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(out_); }

  void WriteBase(const std::string& bytes) { ASSERT_TRUE(WriteFileAtomically(base_, bytes).ok()); }

  absl::Status Merge(const std::vector<CombinedModule>& modules, const std::vector<CombinedTensor>& tensors = {},
                     const MergeOptions& options = {}) {
    auto base = OpenBaseModel(base_);
    if (!base.ok()) return base.status();
    AdapterSpec spec;
    for (const CombinedModule& module : modules) spec.modules.push_back(module.spec);
    for (const CombinedTensor& tensor : tensors) spec.tensors.push_back(tensor.spec);
    auto merge = BaseMerge::Create(*base, spec, out_, options);
    if (!merge.ok()) return merge.status();
    for (const CombinedModule& module : modules) {
      if (absl::Status status = merge->Module(module); !status.ok()) return status;
    }
    for (const CombinedTensor& tensor : tensors) {
      if (absl::Status status = merge->Tensor(tensor); !status.ok()) return status;
    }
    return std::move(*merge).Finish().status();
  }

  void Reopen() {
    auto merged = TensorFiles::Open(out_, kBaseModelStem);
    ASSERT_TRUE(merged.ok()) << merged.status();
    merged_ = *std::move(merged);
  }
  std::vector<double> Merged(const std::string& name) {
    const TensorView* tensor = Find(merged_, name);
    return tensor == nullptr ? std::vector<double>{} : ValuesIn(*tensor);
  }

  // W + dW, or W + dW^T, at every entry.
  void ExpectAdded(const std::string& name, const Weight& weight, const CombinedModule& module, bool transposed) {
    const std::vector<double> merged = Merged(name);
    ASSERT_EQ(merged.size(), weight.values.size()) << name;
    const std::int64_t columns = transposed ? module.spec.d_out : module.spec.d_in;
    for (std::size_t at = 0; at < merged.size(); ++at) {
      const std::int64_t i = static_cast<std::int64_t>(at) / columns, j = static_cast<std::int64_t>(at) % columns;
      const double change = transposed ? Entry(module, j, i) : Entry(module, i, j);
      EXPECT_FLOAT_EQ(merged[at], weight.values[at] + change) << name << " " << at;
    }
  }

  const TestDirectory directory_;
  const fs::path out_ = directory_ / "out";
  fs::path base_ = directory_ / "model.safetensors";
  TensorFiles merged_;
};

TEST_F(MergeBaseTest, AddsToEveryKindOfLayer) {
  const Weights base = {{"x.linear.weight", Some({3, 5}, 1)},     {"x.conv1d.weight", Some({5, 3}, 2)},
                        {"x.square.weight", Some({4, 4}, 3)},     {"x.embed.weight", Some({7, 4}, 4)},
                        {"x.conv.weight", Some({3, 2, 2, 2}, 5)}, {"x.norm.weight", Some({3}, 6)}};
  WriteBase(FileOf(base));
  const CombinedModule linear = ModuleOf({"x.linear", 5, 3, {}}, 2), conv1d = ModuleOf({"x.conv1d", 5, 3, {}}, 2),
                       square = ModuleOf({"x.square", 4, 4, {}}, 3),
                       embed = ModuleOf({"x.embed", 7, 4, {Layer::Kind::kEmbedding}}, 2),
                       conv = ModuleOf({"x.conv", 8, 3, {Layer::Kind::kConv2d, 2, 2, 1}}, 2);
  for (const bool fan_in_fan_out : {false, true}) {
    ASSERT_EQ(Merge({conv, conv1d, embed, linear, square}, {}, {.fan_in_fan_out = fan_in_fan_out}), absl::OkStatus());
    Reopen();
    ExpectAdded("x.linear.weight", base.at("x.linear.weight"), linear, false);
    ExpectAdded("x.conv1d.weight", base.at("x.conv1d.weight"), conv1d, true);
    ExpectAdded("x.square.weight", base.at("x.square.weight"), square, fan_in_fan_out);
    ExpectAdded("x.embed.weight", base.at("x.embed.weight"), embed, true);
    ExpectAdded("x.conv.weight", base.at("x.conv.weight"), conv, false);
    EXPECT_THAT(Merged("x.norm.weight"), ::testing::ElementsAreArray(base.at("x.norm.weight").values));
  }
}

TEST_F(MergeBaseTest, BlocksOfRowsJoin) {
  const Weights base = {{"x.weight", Some({700, 900}, 1)}};  // More than one block.
  WriteBase(FileOf(base));
  for (const ModuleSpec& spec : {ModuleSpec{"x", 900, 700, {}}, ModuleSpec{"x", 700, 900, {}}}) {
    const CombinedModule module = ModuleOf(spec, 1);
    ASSERT_EQ(Merge({module}), absl::OkStatus());
    Reopen();
    const std::vector<double> merged = Merged("x.weight"), a = ReadAllDouble(*module.a), b = ReadAllDouble(*module.b);
    const bool transposed = spec.d_in == 700;
    for (std::size_t at = 0; at < merged.size(); at += 101) {
      const std::size_t i = at / 900, j = at % 900;
      const double change = transposed ? b[j] * a[i] : b[i] * a[j];
      ASSERT_FLOAT_EQ(merged[at], base.at("x.weight").values[at] + change) << at;
    }
  }
}

TEST_F(MergeBaseTest, TypesHoldTheChange) {
  WriteBase(FileOf({{"x.weight", {{1, 1}, {1}}}, {"y.weight", {{1}, {0.5}}}}, DType::kBF16));
  const CombinedModule small{.spec = {"x", 1, 1, {}},
                             .rank = 1,
                             .a = ValuesOf(std::vector<float>{0.001F}, 1, 1),
                             .b = ValuesOf(std::vector<float>{1}, 1, 1)};
  ASSERT_EQ(Merge({small}), absl::OkStatus());
  Reopen();
  EXPECT_EQ(Find(merged_, "x.weight")->dtype, DType::kF32);
  EXPECT_EQ(Find(merged_, "y.weight")->dtype, DType::kBF16);
  EXPECT_FLOAT_EQ(Merged("x.weight")[0], 1.001F);
  ASSERT_EQ(Merge({small}, {}, {.dtype = DType::kBF16}), absl::OkStatus());
  Reopen();
  EXPECT_EQ(Merged("x.weight")[0], 1);  // Why a master copy is float32.
  ASSERT_EQ(Merge({small}, {}, {.dtype = DType::kF64}), absl::OkStatus());
  Reopen();
  EXPECT_EQ(Find(merged_, "y.weight")->dtype, DType::kF64);
  EXPECT_EQ(Merged("y.weight")[0], 0.5);
}

TEST_F(MergeBaseTest, BiasesAndWholeModules) {
  WriteBase(FileOf({{"x.q.bias", {{2}, {1, 2}}}, {"x.v.bias", {{2}, {3, 4}}}, {"x.head.weight", {{2}, {5, 6}}}}));
  const auto tensor = [](const std::string& name) {
    return CombinedTensor{{"base_model.model." + name, {2}}, ValuesOf(std::vector<float>{10, 20}, 2, 1), {}};
  };
  ASSERT_EQ(Merge({}, {tensor("x.head.weight"), tensor("x.q.lora_B.bias"), tensor("x.v.base_layer.bias")}),
            absl::OkStatus());
  Reopen();
  EXPECT_EQ(Merged("x.q.bias"), (std::vector<double>{11, 22}));  // Part of the change: added.
  EXPECT_EQ(Merged("x.v.bias"), (std::vector<double>{10, 20}));  // Trained as it is: replaced.
  EXPECT_EQ(Merged("x.head.weight"), (std::vector<double>{10, 20}));
}

// As PEFT writes them for an adapted head, and for a module of modules_to_save with bias "all".
TEST_F(MergeBaseTest, CopiesOfTheBaseHaveNoEffect) {
  const Weights base = {{"head.weight", Some({3, 2}, 1)}, {"saved.bias", {{2}, {1, 2}}}};
  WriteBase(FileOf(base));
  const auto tensor = [](const std::string& name, float first, std::vector<std::int64_t> shape) {
    const std::int64_t elements = shape.size() == 1 ? shape[0] : shape[0] * shape[1];
    return CombinedTensor{{"base_model.model." + name, shape},
                          ValuesOf(std::vector<float>(static_cast<std::size_t>(elements), first), elements, 1),
                          {}};
  };
  const CombinedModule head = ModuleOf({"head", 2, 3, {}}, 1);
  ASSERT_EQ(
      Merge({head}, {tensor("head.base_layer.weight", 7, {3, 2}), tensor("saved.bias", 10, {2}),
                     tensor("saved.modules_to_save.bias", 10, {2}), tensor("saved.original_module.bias", 5, {2})}),
      absl::OkStatus());
  Reopen();
  ExpectAdded("head.weight", base.at("head.weight"), head, false);
  EXPECT_EQ(Merged("saved.bias"), (std::vector<double>{10, 10}));
}

TEST_F(MergeBaseTest, ShardsStayShards) {
  const Weights first = {{"a.weight", Some({2, 3}, 1)}, {"n.weight", Some({3}, 2)}};
  const Weights second = {{"b.weight", Some({4, 2}, 3)}};
  const std::string one = "model-00001-of-00002.safetensors", two = "model-00002-of-00002.safetensors";
  ASSERT_TRUE(WriteFileAtomically(directory_ / one, FileOf(first)).ok());
  ASSERT_TRUE(WriteFileAtomically(directory_ / two, FileOf(second)).ok());
  ASSERT_TRUE(WriteFileAtomically(directory_ / "model.safetensors.index.json",
                                  absl::StrCat(R"({"metadata": {"total_size": 1}, "weight_map": {"a.weight": ")", one,
                                               R"(", "n.weight": ")", one, R"(", "b.weight": ")", two, "\"}}"))
                  .ok());
  const CombinedModule a = ModuleOf({"a", 3, 2, {}}, 1), b = ModuleOf({"b", 2, 4, {}}, 2);
  for (const fs::path& base : {directory_.path(), directory_ / "model.safetensors.index.json"}) {
    base_ = base;
    ASSERT_EQ(Merge({a, b}), absl::OkStatus());
    Reopen();
    EXPECT_EQ(merged_.shards().size(), 2u);
    ExpectAdded("a.weight", first.at("a.weight"), a, false);
    ExpectAdded("b.weight", second.at("b.weight"), b, false);
    EXPECT_EQ(Merged("n.weight").size(), 3u);
  }
}

TEST_F(MergeBaseTest, NamesMayLackTheirFirstParts) {
  WriteBase(FileOf({{"model.layers.0.q.weight", Some({2, 2}, 1)}, {"h.1.q.weight", Some({2, 2}, 2)}}));
  EXPECT_EQ(Merge({ModuleOf({"layers.0.q", 2, 2, {}}, 1)}), absl::OkStatus());
  EXPECT_EQ(Merge({ModuleOf({"transformer.h.1.q", 2, 2, {}}, 1)}), absl::OkStatus());
}

TEST_F(MergeBaseTest, OnePrefixHoldsForTheWholeAdapter) {
  WriteBase(FileOf({{"layers.0.q.weight", Some({2, 2}, 1)},
                    {"layers.0.q.bias", Some({2}, 4)},
                    {"q.weight", Some({2, 2}, 2)},
                    {"model.q.weight", Some({2, 2}, 3)}}));
  const CombinedModule own = ModuleOf({"model.q", 2, 2, {}}, 1), layer = ModuleOf({"model.layers.0.q", 2, 2, {}}, 1),
                       plain = ModuleOf({"q", 2, 2, {}}, 1);
  const CombinedTensor bias{
      {"base_model.model.model.layers.0.q.bias", {2}}, ValuesOf(std::vector<float>{10, 20}, 2, 1), {}};
  ASSERT_EQ(Merge({layer, own}, {bias}), absl::OkStatus());  // Without "model.", though model.q is there itself.
  Reopen();
  ExpectAdded("q.weight", Some({2, 2}, 2), own, false);
  ExpectAdded("layers.0.q.weight", Some({2, 2}, 1), layer, false);
  EXPECT_EQ(Merged("layers.0.q.bias"), (std::vector<double>{10, 20}));
  ASSERT_EQ(Merge({own}), absl::OkStatus());  // Names as they are come first.
  Reopen();
  ExpectAdded("model.q.weight", Some({2, 2}, 3), own, false);
  EXPECT_THAT(std::string(Merge({layer, plain}).message()),
              HasSubstr("module \"q\": expected a name that begins with \"model.\""));
}

// A layer's norm is not the norm at the end.
TEST_F(MergeBaseTest, ALayersNumberIsNoPrefix) {
  WriteBase(FileOf({{"norm.weight", Some({2, 2}, 1)}, {"layers.0.q.weight", Some({2, 2}, 2)}}));
  const CombinedModule q = ModuleOf({"model.layers.0.q", 2, 2, {}}, 1),
                       norm = ModuleOf({"model.layers.9.norm", 2, 2, {}}, 1);
  EXPECT_THAT(std::string(Merge({norm}).message()),
              HasSubstr("module \"model.layers.9.norm\": the base model has no tensor"));
  EXPECT_THAT(std::string(Merge({q, norm}).message()),
              HasSubstr("module \"model.layers.9.norm\": the base model has no tensor \"model.layers.9.norm.weight\", "
                        "nor \"layers.9.norm.weight\""));
}

// As masks have them.
TEST_F(MergeBaseTest, InfinitiesOfTheBaseAreNoOverflow) {
  const float infinity = std::numeric_limits<float>::infinity();
  WriteBase(FileOf({{"mask", {{4}, {0, -infinity, std::nanf(""), 1}}}, {"x.weight", {{1, 1}, {1}}}}));
  const CombinedModule x = ModuleOf({"x", 1, 1, {}}, 1);
  ASSERT_EQ(Merge({x}, {}, {.dtype = DType::kF16}), absl::OkStatus());
  Reopen();
  EXPECT_EQ(Merged("mask")[1], -infinity);
  EXPECT_TRUE(std::isnan(Merged("mask")[2]));
  WriteBase(FileOf({{"mask", {{3}, {0, -infinity, 1e6F}}}, {"x.weight", {{1, 1}, {1}}}}));
  EXPECT_THAT(std::string(Merge({x}, {}, {.dtype = DType::kF16}).message()), HasSubstr("\"mask\" overflows F16"));
}

struct Refusal {
  std::string name;
  std::vector<CombinedModule> modules;
  std::vector<CombinedTensor> tensors;
  std::string says;
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class MergeRefuses : public MergeBaseTest, public ::testing::WithParamInterface<Refusal> {};

TEST_P(MergeRefuses, ByName) {
  WriteBase(FileOf({{"a.q.weight", Some({2, 2}, 1)},
                    {"b.q.weight", Some({2, 2}, 1)},
                    {"x.weight", Some({2, 3}, 1)},
                    {"x.bias", Some({2}, 1)},
                    {"c.weight", Some({4, 1, 1, 1}, 1)}}));
  const absl::Status status = Merge(GetParam().modules, GetParam().tensors);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().says));
}

CombinedTensor TwoValues(const std::string& name) {
  return {{name, {2}}, ValuesOf(std::vector<float>{1, 2}, 2, 1), {}};
}

INSTANTIATE_TEST_SUITE_P(
    Every, MergeRefuses,
    ::testing::Values(
        Refusal{"missing", {ModuleOf({"y", 3, 2, {}}, 1)}, {}, "module \"y\": the base model has no tensor"},
        Refusal{"ambiguous", {ModuleOf({"q", 2, 2, {}}, 1)}, {}, "\"a.q.weight\" and \"b.q.weight\""},
        Refusal{"shape", {ModuleOf({"x", 5, 2, {}}, 1)}, {}, "expected a weight [2, 5] or [5, 2], got [2, 3]"},
        Refusal{"groups",
                {ModuleOf({"c", 1, 4, {Layer::Kind::kConv2d, 1, 1, 2}}, 2)},
                {},
                "conv2d 1x1 groups 2: adapters of convolutions with groups cannot be merged"},
        Refusal{"tensor", {}, {TwoValues("z.bias")}, "tensor \"z.bias\": the base model has no tensor"},
        Refusal{"twice",
                {},
                {TwoValues("base_model.model.x.bias"), TwoValues("base_model.model.x.lora_B.bias")},
                "\"x.bias\": would be changed by both"}),
    [](const auto& info) { return info.param.name; });

TEST_F(MergeBaseTest, IntegersAreNoWeights) {
  const std::string bytes(6, '\1');
  WriteBase(SerializeSafetensors({{"x.weight", DType::kI8, {2, 3}, bytes}}).value());
  EXPECT_THAT(std::string(Merge({ModuleOf({"x", 3, 2, {}}, 1)}).message()), HasSubstr("base model is I8"));
}

TEST_F(MergeBaseTest, ALostMergeLeavesNoFile) {
  WriteBase(FileOf({{"x.weight", Some({2, 3}, 1)}}));
  CombinedModule huge = ModuleOf({"x", 3, 2, {}}, 1);
  huge.a = ValuesOf(std::vector<double>(3, 1e300), 1, 3);
  EXPECT_EQ(Merge({huge}).code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(fs::is_empty(out_));
}

}  // namespace
}  // namespace cairn
