#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DenseMeanTest : public ::testing::Test {
 protected:
  DenseTensor Tensor(const std::string& name, const std::vector<float>& values, DType dtype = DType::kF32) {
    std::string& bytes = bytes_.emplace_back(values.size() * SizeOf(dtype), '\0');
    FromFloat(dtype, values.data(), values.size(), bytes.data());
    return {.view = {name, dtype, {static_cast<std::int64_t>(values.size())}, bytes}};
  }
  DenseTensor Mask(const std::string& name, const std::string& bits) {
    std::string& bytes = bytes_.emplace_back(bits);
    return {.view = {name, DType::kBool, {static_cast<std::int64_t>(bytes.size())}, bytes}};
  }
  const Adapter& Client(std::vector<DenseTensor> tensors, const std::string& peft_type = "IA3") {
    Adapter& adapter = adapters_.emplace_back();
    adapter.config.kind = AdapterKind::kAveraged;
    adapter.config.peft_type = peft_type;
    adapter.tensors = std::move(tensors);
    return adapter;
  }
  std::unique_ptr<Aggregator> rule_ = *MakeAggregator("dense_mean");
  std::deque<std::string> bytes_;
  std::deque<Adapter> adapters_;
};

TEST_F(DenseMeanTest, AveragesByWeightAcrossTypes) {
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &Client({Tensor("l", {4, 8})})}).ok());
  ASSERT_TRUE(rule_->Accumulate({"y", 3, &Client({Tensor("l", {8, 0}, DType::kBF16)})}).ok());
  const auto result = testing::ReportAll(std::move(*rule_));
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->tensors.size(), 1u);
  EXPECT_EQ(result->tensors[0].spec, (TensorSpec{"l", {2}}));
  EXPECT_THAT(result->tensors[0].values, ElementsAre(7, 2));
}

TEST_F(DenseMeanTest, AnAbsoluteTensorIsTheMeanOfThoseWhoHaveIt) {
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &Client({Tensor("a", {4}), Tensor("b", {1})})}).ok());
  ASSERT_TRUE(rule_->Accumulate({"y", 1, &Client({Tensor("b", {3})})}).ok());
  const auto result = testing::ReportAll(std::move(*rule_));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->tensors[0].values, ElementsAre(4));
  EXPECT_THAT(result->tensors[1].values, ElementsAre(2));
}

TEST_F(DenseMeanTest, ADeltaIsZeroForThoseWhoLackIt) {
  DenseTensor delta = Tensor("b", {4});
  delta.absolute = false;
  delta.scale = 2;
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &Client({delta})}).ok());
  ASSERT_TRUE(rule_->Accumulate({"y", 1, &Client({Tensor("c", {1})})}).ok());
  const auto result = testing::ReportAll(std::move(*rule_));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->tensors[0].values, ElementsAre(4));  // 1/2 * 2 * 4
}

TEST_F(DenseMeanTest, CarriesEqualMasksAndRefusesOthers) {
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &Client({Mask("m", {0, 1}), Tensor("w", {1, 1})})}).ok());
  ASSERT_TRUE(rule_->Accumulate({"y", 1, &Client({Mask("m", {0, 1}), Tensor("w", {3, 3})})}).ok());
  auto result = testing::ReportAll(std::move(*rule_));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->tensors[0].same, std::string({0, 1}));

  auto other = *MakeAggregator("dense_mean");
  ASSERT_TRUE(other->Accumulate({"x", 1, &Client({Mask("m", {0, 1})})}).ok());
  const absl::Status status = other->Accumulate({"y", 1, &Client({Mask("m", {1, 1})})});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("tensor m differs"), HasSubstr("cannot be averaged"),
                                                   HasSubstr("client x"), HasSubstr("client y")));
}

TEST_F(DenseMeanTest, RefusesATypeThatHasNoMeanWithTheOthers) {
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &Client({Mask("m", {0, 1})})}).ok());
  const absl::Status status = rule_->Accumulate({"y", 1, &Client({Tensor("m", {0, 1})})});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"m\""), HasSubstr("client y has F32"), HasSubstr("client x has BOOL")));
}

// Batch normalisation counts its steps; clients with more data count more.
TEST_F(DenseMeanTest, TakesTheLargestOfCountersOfSteps) {
  const std::string counts[] = {std::string("\x07\x01\0\0\0\0\0\0", 8), std::string("\x09\0\0\0\0\0\0\0", 8)};
  for (int i = 0; i < 2; ++i) {
    const DenseTensor counter{{"bn.num_batches_tracked", DType::kI64, {}, counts[i]}};
    ASSERT_TRUE(rule_->Accumulate({i == 0 ? "x" : "y", 1, &Client({counter})}).ok());
  }
  const auto result = testing::ReportAll(std::move(*rule_));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->tensors[0].same, counts[0]);
}

// The promise behind eager trees: the bits do not depend on who came first.
TEST_F(DenseMeanTest, OrderOfArrivalDoesNotChangeABit) {
  std::vector<std::pair<std::string, const Adapter*>> clients;
  for (int i = 0; i < 5; ++i) {
    std::vector<float> values;
    for (int j = 0; j < 64; ++j) values.push_back(static_cast<float>((j * 37 + i * 101) % 97) / 96 - 0.5f);
    clients.emplace_back(std::string(1, static_cast<char>('a' + i)), &Client({Tensor("w", values)}));
  }
  std::vector<float> expected;
  do {
    auto rule = *MakeAggregator("dense_mean");
    for (const auto& [name, adapter] : clients) ASSERT_TRUE(rule->Accumulate({name, 1.0 + name[0], adapter}).ok());
    const auto result = testing::ReportAll(std::move(*rule));
    ASSERT_TRUE(result.ok());
    if (expected.empty()) expected = result->tensors[0].values;
    ASSERT_EQ(result->tensors[0].values, expected);
  } while (std::next_permutation(clients.begin(), clients.end()));
}

TEST_F(DenseMeanTest, RefusesOtherShapesAndOtherTypes) {
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &Client({Tensor("w", {1, 2})})}).ok());
  EXPECT_THAT(std::string(rule_->Accumulate({"y", 1, &Client({Tensor("w", {1})})}).message()), HasSubstr("w"));
  EXPECT_EQ(rule_->Accumulate({"z", 1, &Client({Tensor("w", {1, 2})}, "VERA")}),
            absl::InvalidArgumentError("combine dense_mean: client z has peft_type VERA, client x has IA3"));
}

TEST_F(DenseMeanTest, RefusesConfigsThatGiveTheNumbersAnotherMeaning) {
  const auto with = [&](const std::string& json) {
    Adapter adapter = Client({Tensor("w", {1})}, "VERA");
    adapter.config.json = json;
    return adapter;
  };
  const Adapter x = with(R"({"projection_prng_key": 0, "task_type": "CAUSAL_LM", "target_modules": ["q", "v"]})");
  const Adapter seed = with(R"({"projection_prng_key": 7, "target_modules": ["q", "v"]})");
  const Adapter same = with(R"({"projection_prng_key": 0, "vera_dropout": 0.1, "target_modules": ["v", "q"]})");
  ASSERT_TRUE(rule_->Accumulate({"x", 1, &x}).ok());
  EXPECT_EQ(rule_->Accumulate({"y", 1, &seed}),
            absl::InvalidArgumentError("combine dense_mean: client y has projection_prng_key 7, client x has 0"));
  EXPECT_TRUE(rule_->Accumulate({"z", 1, &same}).ok());
}

TEST_F(DenseMeanTest, OtherRulesRefuseWhatIsNoLora) {
  const Adapter& ia3 = Client({Tensor("w", {1})});
  EXPECT_EQ((*MakeAggregator("stack"))->Accumulate({"x", 1, &ia3}),
            absl::InvalidArgumentError("client x: combine stack takes LoRA updates only: peft_type IA3 is no LoRA; "
                                       "combine dense_mean averages its tensors"));
}

}  // namespace
}  // namespace cairn
