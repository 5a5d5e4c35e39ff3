// What a partial sum refuses, and in what state that leaves it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/partial/testing.h"
#include "aggregators/partial_sum.h"
#include "base/digest.h"
#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::MakeSumCohort;
using testing::ResultOfView;
using testing::SumClient;
using testing::SumCohort;
using testing::SumResult;

PartialSum Make(const std::string& combine, MakePlane planes = HeapPlanes()) {
  return *PartialSum::Create(combine, std::move(planes));
}
PartialSum::Update UpdateOf(const SumClient& client) { return {client.who, &client.adapter}; }

// A sum, and the errors that must leave it as it was.
class PartialSumErrors : public ::testing::Test {
 protected:
  void Expect(const absl::Status& status, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_TRUE(sum_.usable().ok());
    EXPECT_TRUE(sum_.Index() == before_);
    EXPECT_TRUE(*ResultOfView(sum_.View()) == result_);
  }
  void SetUp() override {
    for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(sum_.Add(cohort_[i]->who, cohort_[i]->adapter).ok());
    before_ = sum_.Index();
    result_ = *ResultOfView(sum_.View());
  }
  SumClient& newcomer() { return *cohort_[3]; }
  absl::Status AddNewcomer() { return sum_.Add(newcomer().who, newcomer().adapter); }

  bool planes_ = true;
  SumCohort cohort_ = MakeSumCohort("mean", 21, 5);
  PartialSum sum_ = Make("mean", [this](std::size_t elements) -> absl::StatusOr<std::unique_ptr<SumPlane>> {
    if (!planes_) return absl::ResourceExhaustedError("the store is full");
    return HeapPlanes()(elements);
  });
  std::string before_;
  SumResult result_;
};

TEST_F(PartialSumErrors, ClientsThatAreThere) {
  Expect(sum_.Add(cohort_[1]->who, cohort_[1]->adapter), absl::StatusCode::kAlreadyExists, cohort_[1]->who.client);
  Expect(sum_.Add({UpdateOf(newcomer()), UpdateOf(newcomer())}), absl::StatusCode::kAlreadyExists,
         newcomer().who.client);
  PartialSum other = Make("mean");
  ASSERT_TRUE(other.Add({UpdateOf(newcomer()), UpdateOf(*cohort_[2])}).ok());
  Expect(sum_.Merge(other.View()), absl::StatusCode::kAlreadyExists, cohort_[2]->who.client);
}

TEST_F(PartialSumErrors, OtherRules) {
  Expect(sum_.Merge(Make("zero_pad").View()), absl::StatusCode::kInvalidArgument, "zero_pad");
}

TEST_F(PartialSumErrors, WhatTheRuleRefuses) {
  LoraModule& module = newcomer().adapter.modules.back();
  module.scale = 3;
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "has scale 3");
  PartialSum other = Make("mean");
  ASSERT_TRUE(other.Add(newcomer().who, newcomer().adapter).ok());
  Expect(sum_.Merge(other.View()), absl::StatusCode::kInvalidArgument, "has scale 3");
  // One of several: none is taken.
  Expect(sum_.Add({UpdateOf(*cohort_[4]), UpdateOf(newcomer())}), absl::StatusCode::kInvalidArgument, "has scale 3");
}

TEST_F(PartialSumErrors, OtherValuesWhereAllMustHaveTheSame) {
  DenseTensor& ids = *std::find_if(newcomer().adapter.tensors.begin(), newcomer().adapter.tensors.end(),
                                   [](const DenseTensor& tensor) { return tensor.view.name == "ids"; });
  const std::string others(8, 'x');
  ids.view.data = others;
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "tensor ids differs between client");
  ids.view.dtype = DType::kU64;
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "U64");
}

TEST_F(PartialSumErrors, BytesThatAreNotThere) {
  newcomer().adapter.modules.back().b.data.remove_suffix(1);
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, newcomer().who.client);
}

TEST_F(PartialSumErrors, CountsAndDigests) {
  newcomer().who.examples = 0;
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "example count");
  newcomer().who.examples = (std::uint64_t{1} << 53) + 1;
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "9007199254740993");
  newcomer().who = {"x", "abc", 1};
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "sha256");
  newcomer().who = {"x/y", cohort_[0]->who.sha256, 1};
  Expect(AddNewcomer(), absl::StatusCode::kInvalidArgument, "client id");
}

TEST_F(PartialSumErrors, NoRoomToGrow) {
  planes_ = false;
  Adapter& adapter = newcomer().adapter;
  adapter.tensors.clear();
  adapter.modules = {adapter.modules.back()};
  adapter.modules[0].name = "new";
  Expect(AddNewcomer(), absl::StatusCode::kResourceExhausted, "the store is full");
  planes_ = true;
  EXPECT_TRUE(AddNewcomer().ok());
}

TEST(PartialSum, ValuesThatAreNotFiniteEndItWithClientAndTensor) {
  SumCohort cohort = MakeSumCohort("mean", 31, 2);
  PartialSum sum = Make("mean");
  ASSERT_TRUE(sum.Add(cohort[0]->who, cohort[0]->adapter).ok());
  LoraModule& module = cohort[1]->adapter.modules.back();
  std::vector<float> values(module.b.elements(), std::numeric_limits<float>::quiet_NaN());
  module.b.dtype = DType::kF32;
  module.b.data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  const absl::Status status = sum.Add(cohort[1]->who, cohort[1]->adapter);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(cohort[1]->who.client), HasSubstr(module.name), HasSubstr("lora_B"), HasSubstr("nan")));
  EXPECT_EQ(BlamedClient(status), cohort[1]->who.client);
  EXPECT_EQ(sum.usable().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(sum.Add(cohort[1]->who, cohort[1]->adapter).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(sum.Merge(Make("mean").View()).code(), absl::StatusCode::kFailedPrecondition);
}

// One module [1, 4] and [3, 1] with all values `value`.
SumClient Constant(const std::string& client, float value) {
  SumClient made{{client, Sha256Hex(client), 1}, {}, {}};
  for (const int elements : {4, 3}) {
    const std::vector<float> values(elements, value);
    made.bytes.emplace_back(reinterpret_cast<const char*>(values.data()), elements * sizeof(float));
  }
  LoraModule module{.name = "m", .d_in = 4, .d_out = 3, .rank = 1};
  module.a = {"a", DType::kF32, {1, 4}, made.bytes[0], {}};
  module.b = {"b", DType::kF32, {3, 1}, made.bytes[1], {}};
  made.adapter.modules = {module};
  return made;
}

TEST(PartialSum, PlanesAreMadeWhenABlockNeedsThem) {
  std::size_t made = 0;
  PartialSum sum = Make("mean", [&](std::size_t elements) -> absl::StatusOr<std::unique_ptr<SumPlane>> {
    if (made == 2) return absl::ResourceExhaustedError("the store is full");
    ++made;
    EXPECT_EQ(elements, 16u);  // 4 and 3, each from a cache line on.
    return HeapPlanes()(elements);
  });
  const auto add = [&](const char* client, float value) {
    const SumClient made_client = Constant(client, value);
    return sum.Add(made_client.who, made_client.adapter);
  };
  ASSERT_TRUE(add("a", 1).ok());
  ASSERT_TRUE(add("b", 3).ok());
  EXPECT_EQ(made, 1u);
  ASSERT_TRUE(add("c", 0x1p-10f).ok());
  EXPECT_EQ(made, 2u);
  EXPECT_EQ(ResultOfView(sum.View())->values[0], std::vector<double>(4, (4 + 0x1p-10) / 3));
  ASSERT_TRUE(add("d", 0x1p-40f).ok());  // Too small to count: three windows below.
  EXPECT_EQ(add("e", 0x1p-20f).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(sum.usable().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(PartialSum, FrozenFactorsMustBeTheSameNumbers) {
  const SumCohort cohort = MakeSumCohort("ffa", 41, 2);
  PartialSum sum = Make("ffa");
  ASSERT_TRUE(sum.Add(cohort[0]->who, cohort[0]->adapter).ok());
  const std::string before = sum.Index();
  LoraModule& module = cohort[1]->adapter.modules.back();
  const std::string zeros(module.a.data.size(), '\0');
  module.a.data = zeros;
  const absl::Status status = sum.Add(cohort[1]->who, cohort[1]->adapter);
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("module ", module.name, " lora_A differs")));
  EXPECT_TRUE(sum.Index() == before);
  PartialSum other = Make("ffa");
  ASSERT_TRUE(other.Add(cohort[1]->who, cohort[1]->adapter).ok());
  EXPECT_EQ(sum.Merge(other.View()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(sum.Index() == before);
}

TEST(PartialView, PlanesMustFit) {
  const SumCohort cohort = MakeSumCohort("mean", 51, 1);
  PartialSum sum = Make("mean");
  ASSERT_TRUE(sum.Add(cohort[0]->who, cohort[0]->adapter).ok());
  std::string index = sum.Index();
  const std::vector<std::unique_ptr<SumPlane>> taken = std::move(sum).TakePlanes();
  std::vector<absl::Span<const std::int64_t>> planes;
  for (const auto& plane : taken) planes.push_back(plane->values());
  ASSERT_TRUE(PartialView::Parse(index, planes).ok());
  EXPECT_EQ(PartialView::Parse(index, {}).status().code(), absl::StatusCode::kInvalidArgument);
  planes[0].remove_suffix(1);
  EXPECT_EQ(PartialView::Parse(index, planes).status().code(), absl::StatusCode::kInvalidArgument);
  index[4] = 2;
  EXPECT_EQ(PartialView::Parse(index, planes).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(PartialView, ValuesBeyondFloat32NameTheModule) {
  PartialSum sum = Make("mean");
  SumClient client = Constant("a", 3e38f);
  client.adapter.modules[0].scale = 16;
  ASSERT_TRUE(sum.Add(client.who, client.adapter).ok());
  ResultSink sink;
  sink.module = [](const CombinedModule& module) {
    return ForEachBlock(*module.b, [](absl::Span<const float>) { return absl::OkStatus(); });
  };
  const absl::Status status = sum.View().Report(sink);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"m\""));
}

TEST(PartialSum, TakesNoMoreClientsThanARound) {
  PartialSum sum = Make("mean");
  SumClient client = Constant("a", 1);
  std::vector<PartialSum::Update> updates;
  for (std::size_t i = 0; i < limits::kCohortClientsMax; ++i) {
    updates.push_back({{absl::StrCat("c", i), client.who.sha256, 1}, &client.adapter});
  }
  ASSERT_TRUE(sum.Add(updates).ok());
  EXPECT_EQ(sum.Add(client.who, client.adapter).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ResultOfView(sum.View())->values[0], std::vector<double>(4, 1));
}

}  // namespace
}  // namespace cairn
