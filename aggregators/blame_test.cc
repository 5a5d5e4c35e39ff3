// Values that are not finite are blamed on their client and tensor by every rule of factors, whoever meets them first:
// the rule, the cut, the writer, the measuring or the inner products.
#include "aggregators/blame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aggregators/pipeline.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;

// Of equal rank, scale and A, which every rule takes.
InMemoryUpdate Update(std::uint64_t seed, float bad_a, float bad_b) {
  return testing::MakeUpdate(seed, {{"x.q", 12, 10, {}}, {"x.v", 9, 14, {}}}, 2, 3, DType::kF32,
                             [=](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>& b) {
                               for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 9) / 4 - 1;
                               if (spec.name != "x.v") return;
                               a[3] += bad_a;
                               b[5] += bad_b;
                             });
}

absl::Status Combine(const PipelineOptions& options, const std::vector<InMemoryUpdate>& updates) {
  absl::StatusOr<Pipeline> pipeline = Pipeline::Create(options);
  if (!pipeline.ok()) return pipeline.status();
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const absl::Status added =
        pipeline->Add({std::string(1, static_cast<char>('a' + i)), 1, &updates[i].adapter(), ""});
    if (!added.ok()) return added;
  }
  if (const auto plan = pipeline->Plan(); !plan.ok()) return plan.status();
  // A sink that looks at nothing.
  return std::move(*pipeline).Run({[](const CombinedModule&) { return absl::OkStatus(); }}).status();
}

class BlameTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BlameTest, NamesClientAndTensor) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<InMemoryUpdate> updates;
    for (int i = 0; i < 3; ++i) updates.push_back(Update(i, 0, i == 1 ? value : 0));
    for (const bool gram : {false, true}) {
      const absl::Status status =
          Combine({.combine = GetParam(), .dtype = DType::kBF16, .measure_error = true, .gram = gram}, updates);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("client b"), HasSubstr("x.v"), HasSubstr("lora_B")));
    }
  }
}

TEST_P(BlameTest, NobodyWhereAllIsFinite) {
  std::vector<InMemoryUpdate> updates;
  for (int i = 0; i < 3; ++i) updates.push_back(Update(i, 0, 0));
  EXPECT_EQ(Combine({.combine = GetParam(), .measure_error = true, .gram = true}, updates), absl::OkStatus());
}

std::vector<std::string> RulesOfFactors() {
  std::vector<std::string> names;
  for (const std::string& name : AggregatorNames()) {
    if (name != "core_mean" && name != "dense_mean") names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Rules, BlameTest, ::testing::ValuesIn(RulesOfFactors()),
                         [](const auto& rule) { return rule.param; });

TEST(Blame, OtherErrorsStay) {
  EXPECT_EQ(Blame(absl::DataLossError("full"), {}, "m"), absl::DataLossError("full"));
  EXPECT_EQ(Blame(absl::OutOfRangeError("too large"), {}, "m"), absl::OutOfRangeError("\"m\": too large"));
}

TEST(BlameTogether, NamesAllWhoAreToBlame) {
  const absl::Status a = BlameClient(absl::InvalidArgumentError("a is lost"), "a");
  const absl::Status away = absl::UnavailableError("away");
  EXPECT_EQ(BlameTogether({}), absl::OkStatus());
  EXPECT_EQ(BlameTogether({absl::OkStatus(), away, absl::InternalError("")}), away);
  const absl::Status both =
      BlameTogether({away, a, BlameClients(absl::InvalidArgumentError("others, too"), {"c", "b"})});
  EXPECT_EQ(both, BlameClients(absl::InvalidArgumentError("a is lost; others, too"), {"a", "c", "b"}));
  EXPECT_EQ(BlamedClients(both), (std::vector<std::string>{"a", "c", "b"}));
  EXPECT_EQ(BlamedClient(both), "a");
  EXPECT_EQ(BlameTogether({a, absl::CancelledError("")}), absl::CancelledError(""));
  EXPECT_TRUE(BlamedClients(away).empty());
  const absl::Status many = BlameTogether(std::vector<absl::Status>(kBlamedClientsMax + 1, a));
  EXPECT_EQ(BlamedClients(many).size(), kBlamedClientsMax);
  EXPECT_LT(many.message().size(), 2000u);
}

}  // namespace
}  // namespace cairn
