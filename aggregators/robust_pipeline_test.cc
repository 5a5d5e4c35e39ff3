// Rules and guards on adapters of mixed ranks, from the factors to what is published, against dense products.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "aggregators/pipeline.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Matrix;
using kernels::reference::Product;
using testing::EditFactors;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;
using testing::ReferenceOf;

const std::vector<ModuleSpec> kModules = {{"x.q", 12, 10, {}}, {"x.v", 9, 14, {}}};
constexpr std::int64_t kRanks[] = {4, 2, 3, 1, 5, 2, 3};

using Column = std::vector<double>;

double Dot(const Column& x, const Column& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

double Relative(const Column& x, const Column& y) {
  Column off = x;
  for (std::size_t i = 0; i < x.size(); ++i) off[i] -= y[i];
  return std::sqrt(Dot(off, off) / std::max(Dot(y, y), 1e-300));
}

// All products of an adapter below one another.
Column DenseOf(const Adapter& adapter) {
  Column column;
  for (const LoraModule& module : adapter.modules) {
    const auto update = ReferenceOf(module, 1);
    for (const double value : Product(update.b, update.a).values) column.push_back(value * update.scale);
  }
  return column;
}

struct Ran {
  CombineReport report;
  Column result;
};

class RobustPipeline : public ::testing::Test {
 protected:
  // Honest clients of mixed ranks, and the last one far away.
  void SetUp() override {
    for (std::uint64_t i = 0; i < 7; ++i) Add(i, i == 6 ? 40 : 1 + static_cast<double>(i));
  }

  void Add(std::uint64_t seed, double alpha, const EditFactors& edit = nullptr) {
    updates_.push_back(MakeUpdate(seed, kModules, kRanks[seed], alpha, DType::kF32, edit));
  }

  absl::StatusOr<Ran> Run(PipelineOptions options, const RoundMemory& memory = {}) {
    auto pipeline = Pipeline::Create(options);
    if (!pipeline.ok()) return pipeline.status();
    for (std::size_t i = 0; i < updates_.size(); ++i) {
      const absl::Status added = pipeline->Add({absl::StrCat("client-", i), 1.0 + i, &updates_[i].adapter(), ""});
      if (!added.ok()) return added;
    }
    pipeline->Remember(memory);
    if (const auto plan = pipeline->Plan(); !plan.ok()) return plan.status();
    Ran ran;
    auto report = std::move(*pipeline).Run({[&](const CombinedModule& module) {
      // As a writer would, who refuses what is not finite.
      for (const FactorPtr& factor : {module.a, module.b}) {
        const absl::Status finite =
            ForEachBlockDouble(*factor, [](absl::Span<const double>) { return absl::OkStatus(); });
        if (!finite.ok()) return finite;
      }
      const Matrix dense =
          Product({module.spec.d_out, module.rank / module.spec.layer.groups, ReadAllDouble(*module.b)},
                  {module.rank, module.spec.d_in, ReadAllDouble(*module.a)});
      ran.result.insert(ran.result.end(), dense.values.begin(), dense.values.end());
      return absl::OkStatus();
    }});
    if (!report.ok()) return report.status();
    ran.report = *std::move(report);
    return ran;
  }

  Ran RunOk(const PipelineOptions& options, const RoundMemory& memory = {}) {
    auto ran = Run(options, memory);
    EXPECT_TRUE(ran.ok()) << options.rule << ": " << ran.status();
    return ran.ok() ? *std::move(ran) : Ran();
  }

  std::vector<Column> Columns() const {
    std::vector<Column> columns;
    for (const InMemoryUpdate& update : updates_) columns.push_back(DenseOf(update.adapter()));
    return columns;
  }

  // What the rule says of dense columns.
  RuleOutput Asked(const std::string& rule, const std::vector<Column>& columns, std::size_t faulty) const {
    SmallMatrix gram = SmallMatrix::Zero(columns.size(), columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      for (std::size_t j = 0; j < columns.size(); ++j) gram.at(i, j) = Dot(columns[i], columns[j]);
    }
    const std::vector<double> examples(columns.size(), 1);
    return *(*MakeRule(rule))
                ->Weigh({.columns = columns.size(), .faulty = faulty, .gram = &gram, .examples = examples});
  }

  std::vector<InMemoryUpdate> updates_;
};

std::vector<double> WeightsOf(const Ran& ran) {
  std::vector<double> weights;
  for (const ClientReport& client : ran.report.clients) weights.push_back(client.weight);
  return weights;
}

Column SumOf(const std::vector<Column>& columns, const std::vector<double>& weights) {
  Column sum(columns[0].size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += weights[i] * columns[i][k];
  }
  return sum;
}

TEST_F(RobustPipeline, GivesWhatTheRuleSaysOfDenseProducts) {
  const std::vector<Column> columns = Columns();
  for (const char* rule : {"krum:f=2", "multi_krum:f=2", "mda:f=2", "smea:f=2", "geometric_median", "caf:f=2",
                           "dnc:f=2", "flag", "flag:variant=reference,lambda=2", "centered_clipping:tau=3"}) {
    const Ran ran = RunOk({.rule = rule});
    const RuleOutput asked = Asked(rule, columns, 2);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      EXPECT_NEAR(ran.report.clients[i].weight, asked.weights[i], 1e-9) << rule << " " << i;
    }
    const Column expected = SumOf(columns, asked.weights);
    EXPECT_LE(Relative(ran.result, expected), 1e-6) << rule;
    // The record is that of the dense columns.
    for (std::size_t i = 0; i < columns.size(); ++i) {
      Column off = columns[i];
      for (std::size_t k = 0; k < off.size(); ++k) off[k] -= expected[k];
      const ClientReport& client = ran.report.clients[i];
      EXPECT_NEAR(*client.distance, std::sqrt(Dot(off, off)), 1e-6 * std::sqrt(Dot(columns[i], columns[i]))) << rule;
      EXPECT_NEAR(*client.cosine,
                  Dot(columns[i], expected) / std::sqrt(Dot(columns[i], columns[i]) * Dot(expected, expected)), 1e-6)
          << rule;
      EXPECT_EQ(client.accepted, client.weight != 0);
      EXPECT_EQ(client.reason.empty(), client.accepted);
    }
  }
}

TEST_F(RobustPipeline, ItsWeightsDoNotDependOnHowAClientFactorsItsUpdate) {
  const std::vector<double> before = WeightsOf(RunOk({.rule = "flag"}));
  updates_.pop_back();
  // The same product with other factors: c B and A / c, units in another order.
  Add(6, 40, [](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>& b) {
    const std::int64_t rank = kRanks[6];
    for (std::int64_t k = 0; k < spec.d_in; ++k) std::swap(a[k], a[(rank - 1) * spec.d_in + k]);
    for (std::int64_t i = 0; i < spec.d_out; ++i) std::swap(b[i * rank], b[i * rank + rank - 1]);
    for (float& value : a) value /= 1 << 20;
    for (float& value : b) value *= 1 << 20;
  });
  const std::vector<double> after = WeightsOf(RunOk({.rule = "flag"}));
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-9);
}

TEST_F(RobustPipeline, KrumDoesNotTakeTheOutlier) {
  const Ran ran = RunOk({.rule = "krum:f=1"});
  EXPECT_EQ(ran.report.clients[6].weight, 0);
  EXPECT_THAT(ran.report.clients[6].reason, HasSubstr("krum"));
}

TEST_F(RobustPipeline, GuardsComeFirst) {
  const std::vector<Column> columns = Columns();
  const Ran ran = RunOk({.rule = "multi_krum:f=1", .guards = {"nnm", "arc"}});
  EXPECT_LE(Relative(ran.result, SumOf(columns, WeightsOf(ran))), 1e-6);
  EXPECT_EQ(ran.report.clients[6].weight, 0);
  EXPECT_NE(WeightsOf(ran), WeightsOf(RunOk({.rule = "multi_krum:f=1"})));
}

TEST_F(RobustPipeline, TheMedianIsTakenEntryByEntry) {
  const std::vector<Column> columns = Columns();
  Column expected(columns[0].size());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    std::vector<double> values;
    for (const Column& column : columns) values.push_back(column[k]);
    std::sort(values.begin(), values.end());
    expected[k] = values[3];
  }
  const Ran exact = RunOk({.rule = "median", .publish = *ParsePublishForm("energy=1")});
  EXPECT_LE(Relative(exact.result, expected), 1e-6);
  EXPECT_TRUE(exact.report.coordinate_wise);
  const Ran merged = RunOk({.rule = "median", .publish = *ParsePublishForm("merged")});
  EXPECT_LE(Relative(merged.result, expected), 1e-6);
  // By default at the highest rank of a client, with the error of that.
  const Ran cut = RunOk({.rule = "median"});
  EXPECT_EQ(cut.report.publish, "widest");
  EXPECT_EQ(cut.report.modules[0].rank_out, 5);
  EXPECT_NEAR(*cut.report.relative_error, Relative(cut.result, expected), 1e-6);
  EXPECT_GT(*cut.report.relative_error, 0.01);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Column off = columns[i];
    for (std::size_t k = 0; k < off.size(); ++k) off[k] -= expected[k];
    EXPECT_NEAR(*cut.report.clients[i].distance, std::sqrt(Dot(off, off)), 1e-6 * std::sqrt(Dot(off, off)));
    EXPECT_NEAR(cut.report.clients[i].weight, 1.0 / 7, 1e-12);
  }
}

TEST_F(RobustPipeline, CoordinateWiseRulesHaveNothingToStack) {
  const absl::Status status = Run({.rule = "median", .publish = *ParsePublishForm("stack")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("publish stack: rule median"));
}

TEST_F(RobustPipeline, GuardsMixWhatCoordinateWiseRulesSee) {
  // All mixtures of one bucket: the mean.
  const Ran ran = RunOk({.rule = "median", .guards = {"bucketing:s=7"}, .publish = *ParsePublishForm("energy=1")});
  EXPECT_LE(Relative(ran.result, SumOf(Columns(), std::vector<double>(7, 1.0 / 7))), 1e-6);
}

TEST_F(RobustPipeline, RulesThatNeedProductsRefuseAveragesOfFactors) {
  for (const char* rule : {"flag", "median", "centered_clipping"}) {
    EXPECT_THAT(Run({.combine = "zero_pad", .rule = rule}).status().message(), HasSubstr("combine zero_pad")) << rule;
  }
  EXPECT_TRUE(Run({.combine = "zero_pad", .rule = "multi_krum:f=2"}).ok());
}

TEST_F(RobustPipeline, MeasuresFromAReference) {
  const InMemoryUpdate reference = MakeUpdate(77, kModules, 2, 2);
  const Column g = DenseOf(reference.adapter());
  std::vector<Column> columns = Columns();
  for (Column& column : columns) {
    for (std::size_t k = 0; k < column.size(); ++k) column[k] -= g[k];
  }
  const Ran ran = RunOk({.rule = "flag"}, {.reference = &reference.adapter()});
  Column expected = SumOf(columns, Asked("flag", columns, 0).weights);
  for (std::size_t k = 0; k < expected.size(); ++k) expected[k] += g[k];
  EXPECT_LE(Relative(ran.result, expected), 1e-6);
}

TEST_F(RobustPipeline, CenteredClippingGoesOnFromTheLastResult) {
  const InMemoryUpdate last = MakeUpdate(78, kModules, 3, 3);
  const Column v = DenseOf(last.adapter());
  const std::vector<Column> columns = Columns();
  Column expected = v;
  for (const Column& column : columns) {
    Column off = column;
    for (std::size_t k = 0; k < off.size(); ++k) off[k] -= v[k];
    const double factor = std::min(1.0, 3 / std::sqrt(Dot(off, off)));
    for (std::size_t k = 0; k < off.size(); ++k) expected[k] += factor * off[k] / 7;
  }
  const Ran ran = RunOk({.rule = "centered_clipping:tau=3"}, {.last = &last.adapter()});
  EXPECT_LE(Relative(ran.result, expected), 1e-6);
  // 20 units of clients and 3 of the last result are more than a module of 12 x 10 can have.
  EXPECT_EQ(ran.report.modules[0].rank_in, 23);
  EXPECT_EQ(ran.report.modules[0].rank_out, 10);
}

TEST_F(RobustPipeline, TheRootIsTrustedAndDoesNotCount) {
  const Ran ran = RunOk({.rule = "fltrust:root=client-2"});
  EXPECT_EQ(ran.report.clients[2].weight, 0);
  EXPECT_THAT(ran.report.clients[2].reason, HasSubstr("trusted"));
  EXPECT_TRUE(ran.report.clients[2].accepted);
  EXPECT_THAT(Run({.rule = "fltrust:root=nobody"}).status().message(), HasSubstr("client \"nobody\""));
}

TEST_F(RobustPipeline, ClientsWithNaNAreDroppedByName) {
  updates_.pop_back();
  Add(6, 1, [](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) {
    a[1] = std::numeric_limits<float>::quiet_NaN();
  });
  for (const char* rule : {"multi_krum:f=2", "median", "flag"}) {
    const Ran ran = RunOk({.rule = rule});
    EXPECT_EQ(ran.report.clients[6].weight, 0) << rule;
    EXPECT_THAT(ran.report.clients[6].reason, HasSubstr("x.q")) << rule;
    EXPECT_THAT(ran.result, ::testing::Each(::testing::Truly([](double x) { return std::isfinite(x); }))) << rule;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Run({.rule = "examples"}).status()));
  const Ran guarded = RunOk({.rule = "examples", .guards = {"finite"}});
  EXPECT_EQ(guarded.report.clients[6].weight, 0);
  EXPECT_NEAR(guarded.report.clients[5].weight, 6.0 / 21, 1e-12);
}

TEST_F(RobustPipeline, ClientsWithNaNAreDroppedWhereNobodyLooks) {
  updates_.pop_back();
  Add(6, 1, [](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>&) {
    if (spec.name == "x.v") a[1] = std::numeric_limits<float>::quiet_NaN();
  });
  const Ran ran = RunOk({.rule = "geometric_median", .rule_modules = {"q"}});
  EXPECT_THAT(ran.report.clients[6].reason, HasSubstr("x.v"));
}

TEST_F(RobustPipeline, AHistoryThatIsNotFiniteIsItsClientsOwn) {
  const InMemoryUpdate history =
      MakeUpdate(90, kModules, 2, 1, DType::kF32, [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
        b[0] = std::numeric_limits<float>::infinity();
      });
  const Ran ran = RunOk({.rule = "foolsgold"}, {.histories = {{"client-2", &history.adapter()}}});
  EXPECT_EQ(ran.report.clients[2].weight, 0);
  EXPECT_THAT(ran.report.clients[2].reason, HasSubstr("earlier rounds"));
  EXPECT_GT(ran.report.clients[1].weight, 0);
}

TEST_F(RobustPipeline, ATinyUpdateDoesNotOverflowTheResult) {
  updates_.pop_back();
  Add(6, 1, [](const ModuleSpec&, std::vector<float>& a, std::vector<float>& b) {
    for (float& value : a) value *= 1e-38F;
    for (float& value : b) value *= 1e-38F;
  });
  for (const char* rule : {"fltrust:root=client-0", "flag:variant=reference"}) {
    const Ran ran = RunOk({.rule = rule});
    EXPECT_THAT(ran.result, ::testing::Each(::testing::Truly([](double x) { return std::isfinite(x); }))) << rule;
    for (const double value : ran.result) ASSERT_LT(std::abs(value), 1e3) << rule;
  }
}

TEST_F(RobustPipeline, WhatUpdatesAreMeasuredFromHasTheirShapes) {
  const InMemoryUpdate other = MakeUpdate(91, {{"x.q", 12, 11, {}}}, 2, 1);
  for (const char* rule : {"median", "flag"}) {
    const absl::Status status = Run({.rule = rule}, {.reference = &other.adapter()}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << rule;
    EXPECT_THAT(status.message(), HasSubstr("measured from")) << rule;
  }
}

TEST_F(RobustPipeline, AReferenceThatDoesNotCountIsNotInTheResult) {
  const InMemoryUpdate reference = MakeUpdate(77, kModules, 2, 2);
  const Ran ran = RunOk({.rule = "geometric_median"}, {.reference = &reference.adapter()});
  EXPECT_EQ(ran.report.modules[0].rank_in, 20);
}

TEST_F(RobustPipeline, LooksAtTheModulesItIsToldTo) {
  updates_.pop_back();
  Add(6, 1, [](const ModuleSpec& spec, std::vector<float>&, std::vector<float>& b) {
    for (float& value : b) value *= spec.name == "x.v" ? 1000 : 1;
  });
  EXPECT_EQ(RunOk({.rule = "multi_krum:f=2,m=5"}).report.clients[6].weight, 0);
  EXPECT_GT(RunOk({.rule = "multi_krum:f=2,m=5", .rule_modules = {"q"}}).report.clients[6].weight, 0);
}

TEST_F(RobustPipeline, TheSameClientsGiveTheSameBits) {
  for (const char* rule : {"flag", "geometric_median", "trimmed_mean:f=2"}) {
    EXPECT_EQ(RunOk({.rule = rule}).result, RunOk({.rule = rule}).result) << rule;
  }
}

TEST_F(RobustPipeline, TooFewClientsAreRefusedWithNumbers) {
  EXPECT_THAT(Run({.rule = "krum:f=3"}).status().message(), HasSubstr("rule krum with f = 3 needs at least 9 clients"));
}

}  // namespace
}  // namespace cairn
