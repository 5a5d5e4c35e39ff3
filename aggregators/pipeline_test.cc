#include "aggregators/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "aggregators/partial_sum.h"
#include "aggregators/rounded.h"
#include "aggregators/testing.h"
#include "base/digest.h"

namespace cairn {
namespace {

using kernels::reference::DenseSum;
using kernels::reference::Matrix;
using kernels::reference::Product;
using testing::InMemoryUpdate;
using testing::MakeUpdate;
using testing::ReferenceOf;

const std::vector<ModuleSpec> kModules = {{"x.q", 12, 10, {}}, {"x.v", 9, 14, {}}};

// Frobenius inner product.
double Inner(const Matrix& x, const Matrix& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) sum += x.values[i] * y.values[i];
  return sum;
}

Matrix Minus(Matrix x, const Matrix& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] -= y.values[i];
  return x;
}

Matrix Dense(const CombinedModule& module) {
  return Product({module.spec.d_out, module.rank, ReadAllDouble(*module.b)},
                 {module.rank, module.spec.d_in, ReadAllDouble(*module.a)});
}

// Three clients of different ranks and scales with 10, 20 and 70 examples.
class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() {
    updates_.push_back(MakeUpdate(1, kModules, 4, 8));
    updates_.push_back(MakeUpdate(2, kModules, 2, 2));
    updates_.push_back(MakeUpdate(3, kModules, 3, 1));
  }

  absl::StatusOr<Pipeline> Filled(const PipelineOptions& options) {
    absl::StatusOr<Pipeline> pipeline = Pipeline::Create(options);
    for (std::size_t i = 0; pipeline.ok() && i < updates_.size(); ++i) {
      const absl::Status added =
          pipeline->Add({std::string(1, static_cast<char>('a' + i)), kExamples[i], &updates_[i].adapter(), ""});
      if (!added.ok()) return added;
    }
    return pipeline;
  }

  absl::StatusOr<CombineReport> Run(const PipelineOptions& options, std::int64_t ranks_max = 0) {
    absl::StatusOr<Pipeline> pipeline = Filled(options);
    if (!pipeline.ok()) return pipeline.status();
    if (ranks_max > 0) pipeline->set_ranks_max(ranks_max);
    if (const auto plan = pipeline->Plan(); !plan.ok()) return plan.status();
    modules_.clear();
    return std::move(*pipeline).Run({[this](const CombinedModule& module) {
      modules_.push_back(module);
      return absl::OkStatus();
    }});
  }

  // dW* of a module, slowly.
  Matrix Exact(std::size_t m) const {
    std::vector<kernels::reference::Update> inputs;
    for (std::size_t i = 0; i < updates_.size(); ++i) {
      inputs.push_back(ReferenceOf(updates_[i].adapter().modules[m], kExamples[i] / 100));
    }
    return DenseSum(inputs);
  }

  // Of what came out, measured densely.
  double TrueError() const {
    double error = 0, norm = 0;
    for (std::size_t m = 0; m < modules_.size(); ++m) {
      const Matrix exact = Exact(m), off = Minus(Dense(modules_[m]), exact);
      error += Inner(off, off);
      norm += Inner(exact, exact);
    }
    return std::sqrt(error / norm);
  }

  static constexpr double kExamples[] = {10, 20, 70};
  std::vector<InMemoryUpdate> updates_;
  std::vector<CombinedModule> modules_;
};

TEST_F(PipelineTest, AStackIsExactAndSaysSo) {
  const auto report = Run({});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_LT(TrueError(), 1e-6);
  EXPECT_EQ(report->relative_error, 0);
  ASSERT_EQ(report->modules.size(), 2u);
  EXPECT_EQ(report->modules[1].name, "x.v");
  EXPECT_EQ(report->modules[1].rank_in, 9);
  EXPECT_EQ(report->modules[1].rank_out, 9);
  ASSERT_EQ(report->clients.size(), 3u);
  EXPECT_EQ(report->clients[2].id, "c");
  EXPECT_DOUBLE_EQ(report->clients[2].weight, 0.7);
  EXPECT_EQ(report->publish, "stack");
  EXPECT_EQ(report->rule, "examples");
}

TEST_F(PipelineTest, WhatIsCutSaysHowFarItIs) {
  for (const char* form : {"rank=3", "energy=0.8", "widest"}) {
    const auto report = Run({.publish = ParsePublishForm(form).value()});
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(report->relative_error.has_value()) << form;
    EXPECT_NEAR(*report->relative_error, TrueError(), 1e-5) << form;
    EXPECT_GT(*report->relative_error, 0.01) << form;
  }
  EXPECT_EQ(modules_[0].rank, 4);  // widest: that of client a.
}

TEST_F(PipelineTest, EnergyIsKept) {
  const auto report = Run({.publish = ParsePublishForm("energy=0.8").value()});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const ModuleReport& module : report->modules) EXPECT_LE(std::pow(*module.relative_error, 2), 0.2);
}

TEST_F(PipelineTest, RanksAreCutToTheHighestOfThem) {
  ASSERT_TRUE(Run({.publish = PublishForm{.kind = PublishForm::Kind::kRanks}}, 5).ok());
  EXPECT_EQ(modules_[0].rank, 5);
}

TEST_F(PipelineTest, RulesThatAreNotExactAreMeasuredWhenAsked) {
  const auto report = Run({.combine = "zero_pad", .measure_error = true});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NEAR(*report->relative_error, TrueError(), 1e-6);
  EXPECT_GT(*report->relative_error, 0.1);
  const auto cut = Run({.combine = "zero_pad", .publish = ParsePublishForm("rank=1").value(), .measure_error = true});
  EXPECT_NEAR(*cut->relative_error, TrueError(), 1e-6);  // From the exact sum, not from what was cut.
  const auto unasked = Run({.combine = "zero_pad", .publish = ParsePublishForm("rank=1").value()});
  EXPECT_NEAR(*unasked->relative_error, TrueError(), 1e-6);  // A cut of a few clients: as dear as the cut.
  const auto silent = Run({.combine = "zero_pad"});
  EXPECT_FALSE(silent->relative_error.has_value());
  EXPECT_FALSE(silent->modules[0].relative_error.has_value());
}

// What is written in BF16 is not exact, nor the best of its rank; a report says what it is.
TEST_F(PipelineTest, RoundingToANarrowTypeIsMeasuredWhenAsked) {
  for (const char* form : {"stack", "rank=3"}) {
    PipelineOptions options{.publish = ParsePublishForm(form).value(), .dtype = DType::kBF16};
    const auto silent = Run(options);
    ASSERT_TRUE(silent.ok()) << silent.status();
    EXPECT_TRUE(silent->before_rounding);
    EXPECT_NEAR(*silent->relative_error, TrueError(), 1e-5);
    options.measure_error = true;
    const auto report = Run(options);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->before_rounding);
    EXPECT_EQ(report->dtype, DType::kBF16);
    for (CombinedModule& module : modules_) {
      module.a = Rounded(module.a, DType::kBF16);
      module.b = Rounded(module.b, DType::kBF16);
    }
    EXPECT_NEAR(*report->relative_error, TrueError(), 1e-9) << form;
    EXPECT_GT(*report->relative_error, *silent->relative_error + 1e-7) << form;
  }
}

TEST_F(PipelineTest, MergedAndRecipientsAreRoundedByTheirWriters) {
  PipelineOptions options{.dtype = DType::kF16, .measure_error = true};
  for (const auto kind : {PublishForm::Kind::kMerged, PublishForm::Kind::kRanks}) {
    options.publish = PublishForm{.kind = kind};
    const auto report = Run(options, 20);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->before_rounding);
    EXPECT_NEAR(*report->relative_error, 0, 1e-6);
  }
  options.dtype = std::nullopt;
  EXPECT_FALSE(Run(options, 20)->before_rounding);
}

TEST_F(PipelineTest, GramHasTheInnerProducts) {
  const auto report = Run({.gram = true});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->gram.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      double expected = 0;
      for (std::size_t m = 0; m < kModules.size(); ++m) {
        const std::vector<kernels::reference::Update> x = {ReferenceOf(updates_[i].adapter().modules[m], 1)};
        const std::vector<kernels::reference::Update> y = {ReferenceOf(updates_[j].adapter().modules[m], 1)};
        expected += Inner(DenseSum(x), DenseSum(y));
      }
      EXPECT_NEAR(report->gram[i][j], expected, 1e-9 * std::abs(expected)) << i << " " << j;
    }
  }
  EXPECT_TRUE(Run({})->gram.empty());
}

TEST_F(PipelineTest, AClientMayLackModules) {
  updates_[1] = MakeUpdate(2, {kModules[1]}, 2, 2);
  const auto report = Run({.gram = true});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->modules[0].rank_in, 7);
  EXPECT_EQ(report->modules[1].rank_in, 9);
  EXPECT_GT(report->gram[0][1] * report->gram[0][1], 0);
}

TEST_F(PipelineTest, ValuesThatAreNotFiniteAreBlamed) {
  updates_[1] = MakeUpdate(2, kModules, 2, 2, DType::kF32,
                           [](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) { a[3] = NAN; });
  for (const char* form : {"rank=2", "energy=0.5"}) {
    const auto report = Run({.publish = ParsePublishForm(form).value()});
    EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument) << report.status();
    EXPECT_THAT(std::string(report.status().message()),
                ::testing::AllOf(::testing::HasSubstr("client b"), ::testing::HasSubstr("x.q")));
  }
}

TEST_F(PipelineTest, TheSinksErrorEndsIt) {
  auto pipeline = Filled({});
  ASSERT_TRUE(pipeline->Plan().ok());
  const auto report = std::move(*pipeline).Run({[](const CombinedModule&) { return absl::DataLossError("full"); }});
  EXPECT_EQ(report.status(), absl::DataLossError("full"));
}

TEST(Pipeline, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Pipeline::Create({.combine = "magic"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Pipeline::Create({.rule = "magic"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Pipeline::Create({.guards = {"magic"}}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Pipeline::Create({.combine = "stack:speed=2"}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Pipeline, NobodyToCombineIsAnError) {
  auto pipeline = Pipeline::Create({});
  ASSERT_TRUE(pipeline.ok());
  EXPECT_EQ(pipeline->Plan().status().code(), absl::StatusCode::kFailedPrecondition);
}

// What one process makes of files is what any tree of workers makes of them: it sums counts, not their shares.
TEST_F(PipelineTest, SumsHaveTheBitsOfPartialSums) {
  PipelineOptions options;
  options.combine = "zero_pad";
  ASSERT_TRUE(Run(options).ok());
  absl::StatusOr<PartialSum> sum = PartialSum::Create("zero_pad");
  ASSERT_TRUE(sum.ok());
  for (std::size_t i = updates_.size(); i-- > 0;) {
    const Contributor who{std::string(1, static_cast<char>('a' + i)), Sha256Hex(""),
                          static_cast<std::uint64_t>(kExamples[i])};
    ASSERT_TRUE(sum->Add(who, updates_[i].adapter()).ok());
  }
  std::size_t m = 0;
  const absl::Status status = sum->View().Report({[&](const CombinedModule& module) {
    EXPECT_EQ(ReadAllDouble(*module.a), ReadAllDouble(*modules_[m].a));
    EXPECT_EQ(ReadAllDouble(*module.b), ReadAllDouble(*modules_[m++].b));
    return absl::OkStatus();
  }});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(m, kModules.size());
}

}  // namespace
}  // namespace cairn
