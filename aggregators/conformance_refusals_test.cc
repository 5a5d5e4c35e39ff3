// What every combine rule refuses, and that a refusal leaves no trace. (conformance_test.cc names the rules.)
#include <limits>

#include "aggregators/conformance.h"
#include "base/limits.h"

namespace cairn::conformance {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_P(Conformance, ManyRanksInOneCohortOrAClearRefusal) {
  const InMemoryUpdate wide = Make(1, kModules, 4, 4), narrow = Make(2, kModules, 2, 4);
  auto rule = Rule();
  ASSERT_TRUE(rule->Accumulate({"wide", 1, &wide.adapter()}).ok());
  const absl::Status status = rule->Accumulate({"narrow", 1, &narrow.adapter()});
  if (facts_.input == Input::kAny) {
    EXPECT_TRUE(status.ok()) << status;
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(rule->clients(), 1u);
  }
}

TEST_P(Conformance, RefusesNonFiniteValuesByNameAndTensor) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    const InMemoryUpdate in_a = Newcomer([&](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>&) {
      if (spec.name == "h.0.q_proj") a.back() = value;
    });
    EXPECT_THAT(ExpectRefused({"newcomer", 1, &in_a.adapter()}, absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("newcomer"), HasSubstr("h.0.q_proj"), HasSubstr("lora_A")));
    const InMemoryUpdate in_b = Newcomer([&](const ModuleSpec& spec, std::vector<float>&, std::vector<float>& b) {
      if (spec.name == "h.1.up") b.front() = value;
    });
    EXPECT_THAT(ExpectRefused({"newcomer", 1, &in_b.adapter()}, absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("newcomer"), HasSubstr("h.1.up"), HasSubstr("lora_B")));
  }
}

TEST_P(Conformance, RefusesWeightsThatAreNotPositiveNumbers) {
  const InMemoryUpdate update = Newcomer();
  for (const double examples : {0.0, -0.0, -3.0, std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::infinity(), 2 * kExamplesMax}) {
    EXPECT_THAT(ExpectRefused({"newcomer", examples, &update.adapter()}, absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("client newcomer: weight"), HasSubstr(absl::StrCat("got ", examples))));
  }
}

TEST_P(Conformance, RefusesASecondContribution) {
  const InMemoryUpdate update = Newcomer();
  EXPECT_THAT(ExpectRefused({"client-3", 1, &update.adapter()}, absl::StatusCode::kAlreadyExists),
              HasSubstr("client-3"));
}

TEST_P(Conformance, RefusesAModuleOfOtherDimensions) {
  std::vector<ModuleSpec> reshaped = kModules;
  reshaped[1].d_out += 1;
  const InMemoryUpdate update = Make(9, reshaped, 2, 3);
  EXPECT_THAT(ExpectRefused({"newcomer", 1, &update.adapter()}, absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("newcomer"), HasSubstr("h.0.q_proj")));
}

TEST_P(Conformance, RefusesClientsBeyondTheLimit) {
  const InMemoryUpdate update = Make(1, {{"m", 1, 1}}, 1, 1);
  auto rule = Rule();
  for (std::size_t i = 0; i < limits::kCohortClientsMax; ++i) {
    ASSERT_TRUE(rule->Accumulate({absl::StrCat("client-", i), 1, &update.adapter()}).ok());
  }
  EXPECT_EQ(rule->Accumulate({"one-more", 1, &update.adapter()}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rule->clients(), limits::kCohortClientsMax);
  EXPECT_TRUE(ReportAll(std::move(*rule)).ok());
}

TEST_P(Conformance, NothingToReportWithoutClients) {
  EXPECT_TRUE(Rule()->ranks().empty());
  EXPECT_EQ(ReportAll(std::move(*Rule())).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(Conformance, RefusesWeightsThatCannotBeUsed) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const std::vector<double>& weights : {std::vector<double>{0, 0}, {1}, {1, -0.1}, {1, kNan}, {1, 1, 1}}) {
    auto rule = Rule();
    const InMemoryUpdate update = Newcomer();
    ASSERT_TRUE(rule->Accumulate({"x", 1, &update.adapter()}).ok());
    ASSERT_TRUE(rule->Accumulate({"y", 1, &update.adapter()}).ok());
    const ResultSink sink{.module = [](const CombinedModule&) { return absl::OkStatus(); }};
    const bool negative = weights.size() == 2 && weights[1] < 0;
    const auto expected = negative && rule->linear() ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument;
    EXPECT_EQ(std::move(*rule).Report(weights, sink).code(), expected) << weights.size();
  }
}

TEST_P(Conformance, TheSinksFirstErrorEndsTheReport) {
  auto rule = Rule();
  const InMemoryUpdate update = Newcomer();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &update.adapter()}).ok());
  int calls = 0;
  const ResultSink sink{.module = [&](const CombinedModule&) {
    return ++calls == 2 ? absl::DataLossError("disk on fire") : absl::OkStatus();
  }};
  const absl::Status status = std::move(*rule).Report({1.0}, sink);
  EXPECT_EQ(status, absl::DataLossError("disk on fire"));
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace cairn::conformance
