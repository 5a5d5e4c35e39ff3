#include "aggregators/gram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "aggregators/gram_tensors.h"
#include "aggregators/kernels/reference_lowrank.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Matrix;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;

TensorView View(const std::vector<float>& values, std::vector<std::int64_t> shape, std::string name = "t") {
  return {.name = std::move(name),
          .shape = std::move(shape),
          .data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
}

SmallMatrix Gram(const std::vector<const Adapter*>& columns, const GramOptions& options = {}) {
  const absl::StatusOr<SmallMatrix> gram = GramOf(columns, options);
  EXPECT_TRUE(gram.ok()) << gram.status();
  return gram.ok() ? *gram : SmallMatrix{};
}

// By module: s B A of a column, or nothing.
std::map<std::string, Matrix> DenseOf(const Adapter* column) {
  std::map<std::string, Matrix> dense;
  if (column == nullptr) return dense;
  for (const LoraModule& module : column->modules) {
    const kernels::reference::Update update = testing::ReferenceOf(module, 1);
    dense[module.name] = kernels::reference::DenseSum({&update, 1});
  }
  return dense;
}

void ExpectDenseProducts(const std::vector<const Adapter*>& columns) {
  const SmallMatrix gram = Gram(columns);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto own = DenseOf(columns[i]);
    for (std::size_t j = 0; j < columns.size(); ++j) {
      double expected = 0, magnitude = 0;
      for (auto& [name, other] : DenseOf(columns[j])) {
        if (own.count(name) == 0) continue;
        expected += kernels::reference::InnerProduct(own.at(name), other);
        magnitude += kernels::reference::NormOf(own.at(name)) * kernels::reference::NormOf(other);
      }
      EXPECT_NEAR(gram.at(i, j), expected, 1e-13 * magnitude) << i << " " << j;
      EXPECT_EQ(gram.at(i, j), gram.at(j, i));
    }
  }
}

const ModuleSpec kQ = {"layers.0.q_proj", 24, 20, {}}, kV = {"layers.0.v_proj", 16, 30, {}};

TEST(Gram, OfMixedRanksIsThatOfTheDenseUpdates) {
  const InMemoryUpdate x = testing::MakeUpdate(1, {kQ, kV}, 4, 8), y = testing::MakeUpdate(2, {kQ, kV}, 1, 3),
                       z = testing::MakeUpdate(3, {kQ, kV}, 9, 9, DType::kBF16);
  ExpectDenseProducts({&x.adapter(), &y.adapter(), &z.adapter()});
}

TEST(Gram, CountsWhatAColumnLacksAsZero) {
  const InMemoryUpdate both = testing::MakeUpdate(1, {kQ, kV}, 4, 8), q = testing::MakeUpdate(2, {kQ}, 2, 3),
                       v = testing::MakeUpdate(3, {kV}, 3, 9);
  ExpectDenseProducts({&both.adapter(), nullptr, &q.adapter(), &v.adapter(), &q.adapter()});
  EXPECT_THAT(Gram({nullptr, nullptr}).values, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(Gram({}).rows, 0);
}

// More units than rows and columns: the products are formed.
TEST(Gram, OfManyUnitsIsThatOfTheDenseUpdates) {
  const InMemoryUpdate x = testing::MakeUpdate(1, {kQ}, 70, 8), y = testing::MakeUpdate(2, {kQ}, 60, 3),
                       z = testing::MakeUpdate(3, {kQ}, 5, 9);
  ExpectDenseProducts({&x.adapter(), &y.adapter(), &z.adapter()});
}

// dW = scale * B * core * A: with B A = [2] of rank 1, and a core.
TEST(Gram, MultipliesByTheCore) {
  const InMemoryUpdate update =
      testing::MakeUpdate(1, {{"m", 1, 1, {}}}, 1, 3, DType::kF32,
                          [](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) { a = {1}, b = {2}; });
  const std::vector<float> one = {5}, other = {-7}, bad = {NAN};
  Adapter x = update.adapter(), y = update.adapter(), z = update.adapter();
  x.modules[0].core = View(one, {1, 1});
  y.modules[0].core = View(other, {1, 1});
  z.modules[0].core = View(bad, {1, 1});
  const SmallMatrix gram = Gram({&x, &y, &z});
  EXPECT_EQ(gram.at(0, 0), 30 * 30);
  EXPECT_EQ(gram.at(0, 1), 30 * -42);
  EXPECT_EQ(gram.at(1, 1), 42 * 42);
  EXPECT_TRUE(std::isnan(gram.at(2, 2)));
}

TEST(Gram, OfGroupsIsTheSumOverThem) {
  const InMemoryUpdate update = testing::MakeUpdate(
      1, {{"m", 1, 1, {}}}, 2, 2, DType::kF32, [](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
        a = {1, 2}, b = {3, 5};
      });
  Adapter conv = update.adapter();
  conv.modules[0].layer = {.kind = Layer::Kind::kConv2d, .height = 1, .width = 1, .groups = 2};
  conv.modules[0].d_out = 2;
  conv.modules[0].b.shape = {2, 1};
  EXPECT_THAT(Gram({&conv}).values, ElementsAre(9 + 100));
  EXPECT_THAT(Gram({&update.adapter()}).values, ElementsAre(13 * 13));
}

TEST(Gram, AddsTensorsToModules) {
  const InMemoryUpdate update = testing::MakeUpdate(1, {kQ}, 2, 3);
  const double alone = Gram({&update.adapter()}).at(0, 0);
  std::vector<float> ones(100'000, 1), twos(100'000, 2);
  Adapter x = update.adapter(), y, neither;
  x.tensors = {{.view = View(ones, {100, 1000})}};
  y.tensors = {{.view = View(twos, {100, 1000}), .scale = -3}};
  const SmallMatrix gram = Gram({&x, &y, &neither});
  EXPECT_THAT(gram.values, ElementsAre(alone + 1e5, -6e5, 0, -6e5, 36e5, 0, 0, 0, 0));
}

TEST(Gram, TakesTensorsOfEveryFloatTypeAndNoOther) {
  const std::vector<float> values = {1.5F, -2, 3};
  std::vector<std::string> bytes;
  std::vector<Adapter> columns;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32}) {
    std::string& own = bytes.emplace_back(3 * SizeOf(dtype), '\1');
    if (IsFloat(dtype)) FromFloat(dtype, values.data(), 3, own.data());
    columns.emplace_back();
  }
  std::size_t i = 0;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32}) {
    columns[i].tensors = {{.view = {.name = "t", .dtype = dtype, .shape = {3}, .data = bytes[i]}}};
    ++i;
  }
  const SmallMatrix gram = Gram({&columns[0], &columns[1], &columns[2], &columns[3], &columns[4]});
  for (std::size_t x = 0; x < 5; ++x) {
    for (std::size_t y = 0; y < 5; ++y) EXPECT_EQ(gram.at(x, y), x == 4 || y == 4 ? 0 : 15.25) << x << " " << y;
  }
}

// Three elements a tensor. Every seventh has a scale of its own.
TEST(Gram, AddsManySmallTensors) {
  constexpr std::size_t kTensors = 500, kElements = 3;
  std::vector<float> values(kTensors * kElements);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 11) - 4;
  Adapter x, y;
  double expected = 0;
  for (std::size_t t = 0; t < kTensors; ++t) {
    TensorView view = View(values, {kElements}, absl::StrCat("t", 1000 + t));
    view.data = view.data.substr(t * kElements * sizeof(float), kElements * sizeof(float));
    const double scale = t % 7 == 0 ? 2 : 1;
    x.tensors.push_back({.view = view});
    y.tensors.push_back({.view = view, .scale = scale});
    for (std::size_t k = 0; k < kElements; ++k)
      expected += scale * values[t * kElements + k] * values[t * kElements + k];
  }
  EXPECT_EQ(Gram({&x, &y, nullptr}).at(0, 1), expected);
  int reads = 0;
  const auto count_reads = [&] { return ++reads, absl::OkStatus(); };
  EXPECT_EQ(Gram({&x, &x}, {.after_read = count_reads}).at(0, 1), Gram({&x}).at(0, 0));
  EXPECT_EQ(reads, 8) << "500 tensors, 64 at a time";
}

TEST(Gram, SumsOfManyColumnsStayWithinABudget) {
  EXPECT_EQ(GramChunksAtATime(0), 64u);
  EXPECT_EQ(GramChunksAtATime(100), 64u);
  EXPECT_EQ(GramChunksAtATime(1000), 14u);  // Of 72 MB.
  EXPECT_EQ(GramChunksAtATime(10'000), 1u);
}

void ExpectOnlyColumnOneIsNan(const std::vector<const Adapter*>& clean, const std::vector<const Adapter*>& columns) {
  const SmallMatrix expected = Gram(clean), gram = Gram(columns);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t j = 0; j < columns.size(); ++j) {
      if (i == 1 || j == 1) {
        EXPECT_TRUE(std::isnan(gram.at(i, j))) << i << " " << j;
      } else {
        EXPECT_NEAR(gram.at(i, j), expected.at(i, j), 1e-14 * std::abs(expected.at(i, j))) << i << " " << j;
      }
    }
  }
}

TEST(Gram, IsolatesFactorsThatAreNotFinite) {
  const InMemoryUpdate x = testing::MakeUpdate(1, {kQ, kV}, 4, 8), y = testing::MakeUpdate(2, {kQ, kV}, 3, 3),
                       z = testing::MakeUpdate(3, {kQ, kV}, 2, 9);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const InMemoryUpdate bad = testing::MakeUpdate(
        2, {kQ, kV}, 3, 3, DType::kF32, [value](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>&) {
          if (spec == kV) a[5] = value;
        });
    ExpectOnlyColumnOneIsNan({&x.adapter(), &y.adapter(), &z.adapter()}, {&x.adapter(), &bad.adapter(), &z.adapter()});
  }
}

TEST(Gram, IsolatesTensorsThatAreNotFiniteOrTooLarge) {
  const std::vector<float> values(300, 1);
  for (const double value : {static_cast<double>(NAN), -std::numeric_limits<double>::infinity(), 1e200, 1.1e150}) {
    std::vector<double> bad(300, 1);
    bad[299] = value;
    Adapter x, y;
    x.tensors = {{.view = View(values, {300})}};
    y.tensors = {{.view = {.name = "t",
                           .dtype = DType::kF64,
                           .shape = {300},
                           .data = {reinterpret_cast<const char*>(bad.data()), bad.size() * sizeof(double)}}}};
    ExpectOnlyColumnOneIsNan({&x, &x, &x}, {&x, &y, &x});
  }
}

TEST(Gram, CanBeRestrictedToEndsOfNames) {
  const InMemoryUpdate both = testing::MakeUpdate(1, {kQ, kV}, 4, 8), q = testing::MakeUpdate(1, {kQ}, 4, 8);
  const std::vector<float> ones(5, 1);
  Adapter update = both.adapter();
  update.tensors = {{.view = View(ones, {5}, "head.weight")}};
  const double expected = Gram({&q.adapter()}).at(0, 0);
  EXPECT_EQ(Gram({&update}, {.modules = {"q_proj"}}).at(0, 0), expected);
  EXPECT_EQ(Gram({&update}, {.modules = {"layers.0.q_proj"}}).at(0, 0), expected);
  EXPECT_EQ(Gram({&update}, {.modules = {"0.q_proj", "weight"}}).at(0, 0), expected + 5);
  EXPECT_EQ(Gram({&update}, {.modules = {"q_proj", "v_proj", "head.weight"}}).at(0, 0), Gram({&update}).at(0, 0));
}

TEST(Gram, RefusesANameThatNoColumnHas) {
  const InMemoryUpdate x = testing::MakeUpdate(1, {kQ}, 4, 8);
  const Adapter* const columns[] = {&x.adapter(), nullptr};
  for (const char* name : {"k_proj", "proj", "", "model.layers.0.q_proj"}) {
    const absl::Status status = GramOf(columns, {.modules = {"q_proj", name}}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("got \"" + std::string(name) + "\""));
  }
}

TEST(Gram, RefusesModulesOfDifferentDimensions) {
  const InMemoryUpdate x = testing::MakeUpdate(1, {kQ}, 4, 8), y = testing::MakeUpdate(1, {{kQ.name, 8, 20, {}}}, 4, 8);
  const Adapter* const columns[] = {&x.adapter(), &y.adapter()};
  EXPECT_EQ(GramOf(columns).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Gram, IsTheSameForEveryNumberOfThreads) {
  const InMemoryUpdate x = testing::MakeUpdate(1, {kQ, kV}, 4, 8), y = testing::MakeUpdate(2, {kQ}, 3, 3);
  const kernels::reference::Matrix random = kernels::reference::RandomMatrix(5, 2, 300'000);
  const std::vector<float> values(random.values.begin(), random.values.end());
  Adapter one = x.adapter(), other = y.adapter();
  one.tensors = {{.view = View(values, {300'000})}};
  one.tensors[0].view.data = one.tensors[0].view.data.substr(0, 1'200'000);
  other.tensors = {{.view = View(values, {300'000})}};
  other.tensors[0].view.data = other.tensors[0].view.data.substr(1'200'000);
  const std::vector<double> expected = Gram({&one, &other}, {.threads = 1}).values;
  for (const int threads : {2, 3, 8}) EXPECT_EQ(Gram({&one, &other}, {.threads = threads}).values, expected);
}

// More units than one thread reads at a time.
TEST(Gram, OfManyUnitsIsTheSameForEveryNumberOfThreads) {
  const ModuleSpec wide = {"layers.0.q_proj", 400, 390, {}};
  const InMemoryUpdate x = testing::MakeUpdate(1, {wide}, 40, 8), y = testing::MakeUpdate(2, {wide}, 50, 3);
  ExpectDenseProducts({&x.adapter(), &y.adapter()});
  const std::vector<double> expected = Gram({&x.adapter(), &y.adapter()}, {.threads = 1}).values;
  for (const int threads : {2, 3}) {
    EXPECT_EQ(Gram({&x.adapter(), &y.adapter()}, {.threads = threads}).values, expected);
  }
}

TEST(Gram, LetsPagesGoBetweenReadsAndEndsWithTheError) {
  const InMemoryUpdate update = testing::MakeUpdate(1, {kQ, kV}, 4, 8);
  const std::vector<float> ones(5, 1);
  Adapter x = update.adapter();
  x.tensors = {{.view = View(ones, {5})}};
  int calls = 0, most = 100;
  const GramOptions options{
      .after_read = [&] { return ++calls < most ? absl::OkStatus() : absl::UnknownError("stop"); }};
  Gram({&x}, options);
  EXPECT_EQ(calls, 3);  // Two modules and a tensor.
  const Adapter* const columns[] = {&x};
  calls = 0;
  for (most = 1; most <= 3; ++most, calls = 0) {
    EXPECT_EQ(GramOf(columns, options).status(), absl::UnknownError("stop"));
    EXPECT_EQ(calls, most);
  }
}

}  // namespace
}  // namespace cairn
