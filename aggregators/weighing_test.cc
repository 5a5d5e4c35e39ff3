#include "aggregators/weighing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/congruence.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Weighs column 0 with 2, column 1 with nothing and all others with their number of examples.
class Odd final : public Rule {
 public:
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    auto rule = std::make_unique<Odd>();
    CAIRN_ASSIGN_OR_RETURN(rule->faulty_, Faulty::TakeIfGiven(options));
    rule->needs_.client = options.TakeText("client").value_or("");
    rule->needs_.client_counts = false;
    rule->needs_.last = options.TakeText("last").has_value();
    rule->needs_.history = options.TakeText("history").has_value();
    return rule;
  }
  absl::string_view name() const override { return "test_odd"; }
  Needs needs() const override { return needs_; }
  bool any_weights() const override { return true; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule test_odd", columns, faulty, 2 * faulty + 1, "n >= 2f + 1");
  }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    asked = input;
    gram = *input.gram;
    RuleOutput output;
    output.weights.assign(gram.rows, 0);
    for (std::size_t i = 0; i < input.columns; ++i) output.weights[i] = i == 0 ? 2 : i == 1 ? 0 : input.examples[i];
    if (input.last) output.weights[*input.last] = 0.5;
    output.reasons = {"", "the odd one out"};
    return output;
  }

  static inline RuleInput asked;
  static inline SmallMatrix gram;

 private:
  Needs needs_;
  std::optional<Faulty> faulty_;
};
CAIRN_REGISTER_RULE("test_odd", Odd);

// Halves every column.
class Half final : public Guard {
 public:
  absl::string_view name() const override { return "test_half"; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  absl::StatusOr<SmallMatrix> Mix(const GuardInput& input) const override {
    SmallMatrix mixing = SmallMatrix::Zero(input.gram.rows, input.gram.rows);
    for (std::size_t i = 0; i < mixing.rows; ++i) mixing.at(i, i) = 0.5;
    return mixing;
  }
};
CAIRN_REGISTER_GUARD("test_half", Half);

// Pairs of columns, added; needs f.
class Pairs final : public Guard {
 public:
  static absl::StatusOr<std::unique_ptr<Guard>> Make(RuleOptions& options) {
    auto guard = std::make_unique<Pairs>();
    CAIRN_ASSIGN_OR_RETURN(guard->faulty_, Faulty::TakeIfGiven(options));
    return guard;
  }
  absl::string_view name() const override { return "test_pairs"; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  bool needs_faulty() const override { return true; }
  std::size_t ColumnsOf(std::size_t columns) const override { return (columns + 1) / 2; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  absl::StatusOr<SmallMatrix> Mix(const GuardInput& input) const override {
    faulty_seen = input.faulty;
    SmallMatrix mixing = SmallMatrix::Zero(input.gram.rows, ColumnsOf(input.gram.rows));
    for (std::size_t i = 0; i < mixing.rows; ++i) mixing.at(i, i / 2) = 1;
    return mixing;
  }
  static inline std::size_t faulty_seen = 0;

 private:
  std::optional<Faulty> faulty_;
};
CAIRN_REGISTER_GUARD("test_pairs", Pairs);

// Columns on the axes, with lengths 1, 2, 3, ...
SmallMatrix Axes(std::size_t count) {
  SmallMatrix gram = SmallMatrix::Zero(count, count);
  for (std::size_t i = 0; i < count; ++i) gram.at(i, i) = static_cast<double>((i + 1) * (i + 1));
  return gram;
}

WeighingInput InputOf(std::size_t clients, const SmallMatrix& gram) {
  WeighingInput input;
  for (std::size_t i = 0; i < clients; ++i) {
    input.clients.push_back(absl::StrCat("client-", i));
    input.examples.push_back(static_cast<double>(10 * i));
  }
  input.gram = &gram;
  return input;
}

WeighingOutput WeighOk(const std::string& rule, const std::vector<std::string>& guards, const WeighingInput& input) {
  const auto weighing = Weighing::Create(rule, guards);
  EXPECT_TRUE(weighing.ok()) << weighing.status();
  auto output = weighing->Weigh(input);
  EXPECT_TRUE(output.ok()) << output.status();
  return output.ok() ? *std::move(output) : WeighingOutput();
}

std::vector<double> WeightsOf(const WeighingOutput& output) {
  std::vector<double> weights;
  for (const ClientWeight& client : output.clients) weights.push_back(client.weight);
  return weights;
}

TEST(Weighing, GivesTheRulesWeightsAndReasons) {
  const SmallMatrix gram = Axes(3);
  const WeighingOutput output = WeighOk("test_odd", {}, InputOf(3, gram));
  EXPECT_THAT(WeightsOf(output), ElementsAre(2, 0, 20));
  EXPECT_TRUE(output.clients[0].accepted);
  EXPECT_FALSE(output.clients[1].accepted);
  EXPECT_EQ(output.clients[1].reason, "the odd one out");
  // y = 2 * 1 e_0 + 20 * 3 e_2.
  EXPECT_NEAR(*output.clients[0].distance, std::hypot(1, 60), 1e-12);
  EXPECT_NEAR(*output.clients[1].distance, std::sqrt(4 + 4 + 3600), 1e-12);
  EXPECT_NEAR(*output.clients[0].cosine, 2 / std::hypot(2, 60), 1e-12);
  EXPECT_NEAR(*output.clients[1].cosine, 0, 1e-12);
}

TEST(Weighing, DropsClientsThatAreNotFiniteAndLowersF) {
  SmallMatrix gram = Axes(4);
  for (std::size_t i = 0; i < 4; ++i) gram.at(i, 1) = gram.at(1, i) = kNaN;
  WeighingInput input = InputOf(4, gram);
  input.not_finite = {"", "tensor x is NaN", "", ""};
  const WeighingOutput output = WeighOk("test_odd:f=1", {}, input);
  EXPECT_THAT(WeightsOf(output), ElementsAre(2, 0, 0, 30));
  EXPECT_EQ(output.clients[1].reason, "tensor x is NaN");
  EXPECT_FALSE(output.clients[1].distance);
  EXPECT_EQ(Odd::asked.columns, 3);
  EXPECT_EQ(Odd::asked.faulty, 0);
  EXPECT_THAT(Odd::gram.values, ::testing::Each(::testing::Truly([](double value) { return std::isfinite(value); })));
}

TEST(Weighing, MixesWithTheGuardsInOrder) {
  const SmallMatrix gram = Axes(4);
  const WeighingOutput output = WeighOk("test_odd", {"test_half", "test_pairs:f=1"}, InputOf(4, gram));
  // Pair 0 is (x_0 + x_1) / 2, pair 1 is (x_2 + x_3) / 2: weights 2 and 0 give (1, 1, 0, 0).
  EXPECT_THAT(WeightsOf(output), ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(Odd::gram.values, ElementsAre((1 + 4) / 4.0, 0, 0, (9 + 16) / 4.0));
  EXPECT_THAT(output.clients[2].reason, HasSubstr("none of the mixtures"));
  EXPECT_NEAR(*output.clients[0].distance, 2, 1e-12);  // y = x_0 + x_1.
}

// No inner products for a guard that leaves columns as they are, and no mixing with an identity matrix.
TEST(Weighing, FiniteDropsClientsAndMixesNothing) {
  const auto weighing = Weighing::Create("examples", {"finite"});
  ASSERT_TRUE(weighing.ok()) << weighing.status();
  EXPECT_TRUE(weighing->drops_not_finite());
  EXPECT_FALSE(weighing->needs_gram());
  WeighingInput input{.clients = {"a", "b", "c"}, .examples = {1, 2, 3}, .not_finite = {"", "tensor x is NaN", ""}};
  EXPECT_THAT(WeightsOf(WeighOk("examples", {"finite"}, input)), ElementsAre(0.25, 0, 0.75));
  EXPECT_TRUE(WeighOk("median", {"finite"}, input).mixing.values.empty());
  EXPECT_TRUE(Weighing::Create("examples", {"finite", "test_half"})->needs_gram());
}

TEST(Weighing, AGuardThatOnlyScalesLeavesTheReason) {
  const SmallMatrix gram = Axes(3);
  EXPECT_EQ(WeighOk("test_odd", {"test_half"}, InputOf(3, gram)).clients[1].reason, "the odd one out");
}

TEST(Weighing, AGuardHasItsOwnFOrTheRules) {
  const SmallMatrix gram = Axes(10);
  WeighOk("test_odd:f=0.2", {"test_pairs:f=3"}, InputOf(10, gram));
  EXPECT_EQ(Pairs::faulty_seen, 3);
  WeighOk("test_odd:f=0.2", {"test_pairs"}, InputOf(10, gram));
  EXPECT_EQ(Pairs::faulty_seen, 2);
}

TEST(Weighing, AnFIsAskedForWhereNeitherHasOne) {
  const absl::Status status = Weighing::Create("test_odd", {"test_pairs"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("guard test_pairs: f: expected"));
}

TEST(Weighing, TheTrustedClientStandsApart) {
  const SmallMatrix gram = Axes(3);
  const WeighingOutput output = WeighOk("test_odd:client=client-1", {}, InputOf(3, gram));
  EXPECT_THAT(WeightsOf(output), ElementsAre(2, 0, 0));
  EXPECT_EQ(Odd::asked.columns, 2);
  ASSERT_TRUE(Odd::asked.named);
  EXPECT_EQ(Odd::gram.at(*Odd::asked.named, *Odd::asked.named), 4);
  EXPECT_THAT(output.clients[1].reason, HasSubstr("trusted"));
  EXPECT_NEAR(*output.clients[1].distance, std::hypot(2, 2), 1e-12);
}

TEST(Weighing, ATrustedClientThatIsNotThereIsAnError) {
  const SmallMatrix gram = Axes(3);
  const absl::Status status = Weighing::Create("test_odd:client=root", {})->Weigh(InputOf(3, gram)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("client \"root\""));
}

TEST(Weighing, TheLastResultHasAWeight) {
  const SmallMatrix gram = Axes(3);
  WeighingInput input = InputOf(2, gram);
  input.last = true;
  const WeighingOutput output = WeighOk("test_odd:last=1", {}, input);
  EXPECT_EQ(output.last, 0.5);
  EXPECT_NEAR(*output.clients[0].distance, std::hypot(1, 1.5), 1e-12);  // y = 2 e_0 + 1.5 e_2.
}

TEST(Weighing, MeasuresFromTheReferenceAndWeighsIt) {
  // x_0 = g + a, x_1 = g + b with orthogonal a, b and g.
  const double a = 2, b = 3, g = 10;
  SmallMatrix gram = SmallMatrix::Zero(3, 3);
  gram.values = {g * g + a * a, g * g, g * g, g * g, g * g + b * b, g * g, g * g, g * g, g * g};
  WeighingInput input = InputOf(2, gram);
  input.reference = true;
  const WeighingOutput output = WeighOk("test_odd", {}, input);
  EXPECT_THAT(Odd::gram.values, ElementsAre(a * a, 0, 0, b * b));
  EXPECT_EQ(output.reference, -1);  // y = g + 2 (x_0 - g).
  EXPECT_NEAR(*output.clients[0].distance, a, 1e-12);
}

TEST(Weighing, HistoriesFollowTheirColumns) {
  const SmallMatrix gram = Axes(6);  // Columns 0 to 2, histories 3 to 5.
  WeighingInput input = InputOf(3, gram);
  input.not_finite = {"NaN", "", ""};
  WeighOk("test_odd:history=1", {}, input);
  EXPECT_EQ(Odd::gram.rows, 4);
  EXPECT_EQ(Odd::gram.at(0, 0), 4);
  EXPECT_EQ(Odd::gram.at(2, 2), 25);
  EXPECT_EQ(Odd::gram.at(3, 3), 36);
}

TEST(Weighing, RefusesTooFewClientsWithNameAndNumbers) {
  const auto weighing = Weighing::Create("test_odd:f=2", {});
  EXPECT_TRUE(weighing->CheckClients(5, 9).ok());
  const absl::Status status = weighing->CheckClients(4, 9);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "rule test_odd with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
}

TEST(Weighing, ATrustedClientIsOneMore) {
  const auto weighing = Weighing::Create("test_odd:f=2,client=root", {});
  EXPECT_TRUE(weighing->CheckClients(6).ok());
  EXPECT_FALSE(weighing->CheckClients(5).ok());
  EXPECT_FALSE(Weighing::Create("test_odd:client=root", {})->CheckClients(1).ok());
}

TEST(Weighing, GuardsThatMakeFewerColumnsCount) {
  const auto weighing = Weighing::Create("test_odd:f=1", {"test_pairs"});
  EXPECT_TRUE(weighing->CheckClients(5).ok());
  EXPECT_THAT(weighing->CheckClients(4).message(), HasSubstr("got 2 of the guards, which make 2 of 4 clients"));
}

TEST(Weighing, SaysWhichCombineRulesCanDoWithAnyWeights) {
  const auto weighing = Weighing::Create("test_odd", {});
  EXPECT_TRUE(weighing->CheckCombine(**MakeAggregator("stack")).ok());
  const absl::Status status = weighing->CheckCombine(**MakeAggregator("mean"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("expected combine dense_mean or stack or svd"));
  EXPECT_TRUE(Weighing::Create("examples", {})->CheckCombine(**MakeAggregator("mean")).ok());
  EXPECT_FALSE(Weighing::Create("examples", {})->CheckCombine(**MakeAggregator("mean"), true).ok());
}

}  // namespace
}  // namespace cairn
