// The combine rules with more algebra to them, once each through a server: what is published is what the slow twins
// say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "adapter/directory.h"
#include "aggregators/kernels/reference_rules.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

namespace reference = kernels::reference;
using reference::Matrix;
using ::testing::HasSubstr;

constexpr double kClose = 1e-4;  // Relative to the largest entry; the twins decompose in float64.

struct TwinOf {
  std::string combine;
  const std::vector<Party>& parties;
  Matrix (*product)(absl::Span<const reference::Update>);
};

class RulesTest : public FederationFixture {
 protected:
  // What round 2 starts from.
  StoredAdapter Start() {
    const auto open = clients_[0]->AwaitRound(absl::Seconds(20));
    EXPECT_TRUE(open.ok()) << open.status();
    EXPECT_EQ(open->number, 2u);
    const auto form = clients_[0]->PullStart(*open, "", directory_ / "start");
    EXPECT_EQ(form.value_or(std::nullopt), Form::kAdapter) << form.status();
    auto stored = OpenAdapterDirectory(directory_ / "start");
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *std::move(stored);
  }
  static Matrix ProductOf(const LoraModule& module) { return reference::DenseSum({ReferenceOf(module, 1)}); }
  static void ExpectClose(const Matrix& got, const Matrix& expected) {
    EXPECT_LT(reference::MaxDifference(got, expected), kClose * reference::MaxAbs(expected));
  }
};

class RuleTest : public RulesTest, public ::testing::WithParamInterface<TwinOf> {};

TEST_P(RuleTest, PublishesWhatItsTwinSays) {
  Serve(absl::StrCat("  - {name: f, combine: ", GetParam().combine, ", clients: {min: 3}}\n"));
  JoinAll("f", GetParam().parties);
  RunRound(GetParam().parties, 1);
  const StoredAdapter start = Start();
  ASSERT_EQ(start.adapter.modules.size(), kModules.size());
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    ExpectClose(ProductOf(start.adapter.modules[m]), GetParam().product(References(GetParam().parties, m, 1, 1)));
  }
}

INSTANTIATE_TEST_SUITE_P(ThroughAServer, RuleTest,
                         ::testing::Values(TwinOf{"hetlora", kMixed, &reference::HetLoraProduct},
                                           TwinOf{"fair", kEqual, &reference::FairProduct},
                                           TwinOf{"rank_cluster", kMixed, &reference::RankClusterProduct}),
                         [](const auto& info) { return info.param.combine; });

// A and B as everybody has them, and a core of one's own.
UpdateBytes WithCores(std::uint64_t seed) {
  const UpdateBytes shared = MakeUpdateBytes(1, kModules, 4, 8, DType::kF32);
  std::vector<ModuleSpec> squares;
  for (const ModuleSpec& module : kModules) squares.push_back({module.name, 4, 4});
  const InMemoryUpdate cores = MakeUpdate(seed, squares, 4, 8);
  std::vector<TensorView> tensors = ParseSafetensors(shared.safetensors)->tensors;
  for (const LoraModule& core : cores.adapter().modules) {
    tensors.push_back(
        {absl::StrCat(kPeftPrefix, core.name, ".lora_latent_mapping.weight"), DType::kF32, {4, 4}, core.a.data});
  }
  return {shared.config_json, *SerializeSafetensors(tensors)};
}

TEST_F(RulesTest, CoreMeanFoldsTheMeanOfTheCoresIntoB) {
  Serve("  - {name: f, combine: core_mean, clients: {min: 2}}\n");
  JoinAll("f", {kEqual[0], kEqual[1]});
  const InMemoryUpdate ada(WithCores(2)), bob(WithCores(3));
  ASSERT_TRUE(PushOne(*clients_[0], ada.bytes(), 1, 1).ok());
  ASSERT_TRUE(PushOne(*clients_[1], bob.bytes(), 1, 3).ok());
  const StoredAdapter start = Start();
  const auto update = [](const InMemoryUpdate& of, std::size_t m, double weight) {
    LoraModule core = of.adapter().modules[m];
    reference::Update out = ReferenceOf(core, weight);
    core.a = *core.core;
    out.b = reference::Product(out.b, ReferenceOf(core, 1).a);
    return out;
  };
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    ExpectClose(ProductOf(start.adapter.modules[m]), reference::DenseSum({update(ada, m, 0.25), update(bob, m, 0.75)}));
  }
}

TEST_F(RulesTest, EnergyCutsAndSaysWhatThatCosts) {
  Serve("  - {name: f, combine: svd, publish: energy=0.9, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  RunRound(kMixed, 1);
  const StoredAdapter start = Start();
  double error = 0, norm = 0;
  const auto add_squares = [](const Matrix& x, const Matrix& y, double& sum) {
    for (std::size_t i = 0; i < x.values.size(); ++i) sum += std::pow(x.values[i] - y.values[i], 2);
  };
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    EXPECT_LT(start.adapter.modules[m].rank, 8) << "what a side of the weight can hold";
    const Matrix exact = reference::DenseSum(References(kMixed, m, 1, 1));
    add_squares(ProductOf(start.adapter.modules[m]), exact, error);
    add_squares(exact, Matrix::Zero(exact.rows, exact.columns), norm);
  }
  const double relative = std::sqrt(error / norm);
  EXPECT_GT(relative, 0.01);
  EXPECT_LE(relative, std::sqrt(0.1));
  const auto status = StatusOf(server_->address(), "f");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->publish(), "energy=0.9");
  EXPECT_NEAR(status->relative_error(), relative, 1e-5);
  EXPECT_THAT(server_->Log(), HasSubstr(absl::StrFormat("f: version 1: combine svd, rule examples, publish energy=0.9: "
                                                        "relative error %.3g",
                                                        status->relative_error())));
}

}  // namespace
}  // namespace cairn::testing
