// Combine rules and kinds of adapters end to end: what is published, what is refused and how it is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "adapter/directory.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
namespace reference = kernels::reference;
using reference::Matrix;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

double SquaredNorm(const Matrix& matrix) {
  double sum = 0;
  for (double value : matrix.values) sum += value * value;
  return sum;
}
Matrix Difference(Matrix x, const Matrix& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] -= y.values[i];
  return x;
}

class MethodsTest : public FederationFixture {
 protected:
  // Pulls what round 2 starts from.
  StoredAdapter StartOfRound2() {
    const auto open = clients_[0]->AwaitRound(absl::Seconds(20));
    EXPECT_TRUE(open.ok()) << open.status();
    EXPECT_EQ(open->start, StartMode::kWarm);
    const auto form = clients_[0]->PullStart(*open, "", directory_ / "start");
    EXPECT_EQ(form.value_or(std::nullopt), Form::kAdapter) << form.status();
    auto stored = OpenAdapterDirectory(directory_ / "start");
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *std::move(stored);
  }
  absl::Status Push(std::size_t client, std::uint64_t round, const UpdateBytes& update, std::uint64_t examples = 1) {
    return PushOne(*clients_[client], update, round, examples);
  }
};

TEST_F(MethodsTest, SvdPublishesTheWidestRankAndSaysWhatThatCosts) {
  Serve("  - {name: f, combine: svd, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  RunRound(kMixed, 1);
  const StoredAdapter start = StartOfRound2();
  double error = 0, norm = 0;
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    EXPECT_EQ(start.adapter.modules[m].rank, 8);
    const Matrix exact = reference::DenseSum(References(kMixed, m, 1, 1));
    error += SquaredNorm(Difference(reference::DenseSum({ReferenceOf(start.adapter.modules[m], 1)}), exact));
    norm += SquaredNorm(exact);
  }
  const auto status = StatusOf(server_->address(), "f");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->combine(), "svd");
  EXPECT_EQ(status->publish(), "widest");
  EXPECT_NEAR(status->relative_error(), std::sqrt(error / norm), 1e-5);
  EXPECT_NEAR(MetricValue(server_->metrics_address(), "cairn_published_relative_error{federation=\"f\"}"),
              std::sqrt(error / norm), 1e-5);
}

// A client that takes the first units only has the best approximation of its own rank.
TEST_F(MethodsTest, SvdCutToAClientsRankIsTheBestOfThatRank) {
  Serve(
      "  - {name: f, combine: svd, clients: {min: 3}}\n  - {name: g, combine: svd, publish: rank=2, "
      "clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  RunRound(kMixed, 1);
  const StoredAdapter wide = StartOfRound2();
  clients_.clear();
  JoinAll("g", kMixed);
  RunRound(kMixed, 1);
  const StoredAdapter narrow = StartOfRound2();
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    reference::Update cut = ReferenceOf(wide.adapter.modules[m], 1);
    for (std::int64_t i = 0; i < cut.b.rows; ++i) {
      for (std::int64_t k = 2; k < cut.b.columns; ++k) cut.b.at(i, k) = 0;
    }
    EXPECT_EQ(narrow.adapter.modules[m].rank, 2);
    ExpectNear(reference::DenseSum({cut}), reference::DenseSum({ReferenceOf(narrow.adapter.modules[m], 1)}));
  }
}

TEST_F(MethodsTest, MeanGoesOnFromTheAverageRoundAfterRound) {
  Serve("  - {name: f, combine: mean, rounds: 2, clients: {min: 3}}\n");
  JoinAll("f", kEqual);
  RunRound(kEqual, 1);
  const StoredAdapter start = StartOfRound2();
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const reference::Factors average = reference::AverageFactors(References(kEqual, m, 1, 1));
    ExpectNear(ReferenceOf(start.adapter.modules[m], 1).a, average.a);
    ExpectNear(ReferenceOf(start.adapter.modules[m], 1).b, average.b);
  }
  RunRound(kEqual, 2);
  ExpectFinished();
}

TEST_F(MethodsTest, FfaRefusesAnotherAAtTheUpload) {
  Serve("  - {name: f, combine: ffa, clients: {min: 2}}\n");
  JoinAll("f", {kEqual[0], kEqual[1]});
  const UpdateBytes first = MakeUpdateBytes(1, kModules, 4, 8, DType::kF32);
  ASSERT_TRUE(Push(0, 1, first).ok());
  const absl::Status refused = Push(1, 1, MakeUpdateBytes(2, kModules, 4, 8, DType::kF32));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("combine ffa"), HasSubstr("block.attn.q lora_A"), HasSubstr("ada"), HasSubstr("bob")));
  // Neither a restart nor another type of the same numbers changes that.
  ASSERT_TRUE(server_->Restart().ok());
  EXPECT_EQ(Push(1, 1, MakeUpdateBytes(2, kModules, 4, 8, DType::kF32)).code(), absl::StatusCode::kInvalidArgument);
  const UpdateBytes same_a = MakeUpdateBytes(1, kModules, 4, 8, DType::kF32,
                                             [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
                                               for (float& value : b) value = -value;
                                             });
  ASSERT_TRUE(Push(1, 1, same_a).ok());
  const StoredAdapter start = StartOfRound2();
  const Matrix a = ReferenceOf(InMemoryUpdate(first).adapter().modules[0], 1).a;
  EXPECT_EQ(reference::MaxDifference(ReferenceOf(start.adapter.modules[0], 1).a, a), 0);
}

TEST_F(MethodsTest, AClientMayAdaptAPartOfTheModules) {
  Serve("  - {name: f, combine: stack, clients: {min: 2}}\n");
  JoinAll("f", {kEqual[0]});
  const std::vector<ModuleSpec> part = {kModules[1]};
  auto bob = Client::Join(FastOptions(server_->address(), "f", "bob"), ShapeOf(part));
  ASSERT_TRUE(bob.ok()) << bob.status();
  clients_.push_back(*std::move(bob));
  const InMemoryUpdate ada = MakeUpdate(1, kModules, 2, 4), small = MakeUpdate(2, part, 3, 3);
  ASSERT_TRUE(Push(0, 1, ada.bytes(), 1).ok());
  ASSERT_TRUE(Push(1, 1, small.bytes(), 3).ok());
  ASSERT_TRUE(clients_[0]->AwaitRound(absl::Seconds(20)).ok());
  const auto stored = OpenAdapterDirectory(Pull(1, Form::kDelta));
  ASSERT_TRUE(stored.ok()) << stored.status();
  // Who lacks a module adds nothing there, and the others' weights stay as they are.
  ExpectNear(reference::DenseSum({ReferenceOf(stored->adapter.modules[0], 1)}),
             reference::DenseSum({ReferenceOf(ada.adapter().modules[0], 0.25)}));
  ExpectNear(reference::DenseSum({ReferenceOf(stored->adapter.modules[1], 1)}),
             reference::DenseSum(
                 {ReferenceOf(ada.adapter().modules[1], 0.25), ReferenceOf(small.adapter().modules[0], 0.75)}));
  const absl::Status stranger =
      Client::Join(FastOptions(server_->address(), "f", "cyd"), ShapeOf({{"block.zig", 8, 8}})).status();
  EXPECT_EQ(stranger.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(stranger.message()), HasSubstr("block.zig"));
}

UpdateBytes Vectors(const std::string& peft_type, const std::vector<float>& values) {
  const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  const std::vector<TensorView> tensors = {
      {"base_model.model.block.k.ia3_l", DType::kF32, {static_cast<std::int64_t>(values.size()), 1}, bytes}};
  return {R"({"peft_type": ")" + peft_type + R"(", "target_modules": ["k"]})", *SerializeSafetensors(tensors)};
}

TEST_F(MethodsTest, VectorsOfIa3AreAveraged) {
  Serve("  - {name: f, combine: dense_mean, clients: {min: 2}}\n");
  for (const char* name : {"ada", "bob"}) {
    AdapterShape shape;
    shape.tensors = {{"base_model.model.block.k.ia3_l", {3, 1}}};
    auto client = Client::Join(FastOptions(server_->address(), "f", name), shape);
    ASSERT_TRUE(client.ok()) << client.status();
    clients_.push_back(*std::move(client));
  }
  const absl::Status other = Push(0, 1, Vectors("IA3", {1, 2, 3, 4}));
  EXPECT_EQ(other.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(other.message()), HasSubstr("block.k.ia3_l"));
  EXPECT_THAT(std::string(Push(0, 1, Vectors("IA3", {1, NAN, 3})).message()), HasSubstr("element 1 is NaN"));
  ASSERT_TRUE(Push(0, 1, Vectors("IA3", {1, 2, 3}), 1).ok());
  ASSERT_TRUE(Push(1, 1, Vectors("IA3", {5, 6, -1}), 3).ok());
  const StoredAdapter start = StartOfRound2();
  ASSERT_EQ(start.adapter.tensors.size(), 1u);
  const TensorView& view = start.adapter.tensors[0].view;
  std::vector<float> mean(view.elements());
  ToFloat(view.dtype, view.data.data(), mean.size(), mean.data());
  EXPECT_THAT(mean, ElementsAre(4, 5, 0));
  EXPECT_EQ(start.adapter.config.peft_type, "IA3");
}

UpdateBytes WithDora(UpdateBytes update) {
  update.config_json = absl::StrReplaceAll(update.config_json, {{"\"use_dora\": false", "\"use_dora\": true"}});
  return update;
}

TEST_F(MethodsTest, DoraIsRefusedByNameUnlessAskedFor) {
  Serve("  - {name: f, combine: stack, clients: {min: 1}}\n  - {name: g, combine: dense_mean, clients: {min: 1}}\n");
  JoinAll("f", {kEqual[0]});
  const UpdateBytes dora = WithDora(MakeUpdateBytes(1, kModules, 4, 8, DType::kF32));
  const absl::Status refused = Push(0, 1, dora);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("combine stack"), HasSubstr("use_dora"), HasSubstr("dense_mean")));
  auto asked = Client::Join(FastOptions(server_->address(), "g", "ada"));
  ASSERT_TRUE(asked.ok()) << asked.status();
  clients_[0] = *std::move(asked);
  ASSERT_TRUE(Push(0, 1, dora).ok());
  ASSERT_TRUE(clients_[0]->AwaitRound(absl::Seconds(20)).ok());
  EXPECT_TRUE(fs::exists(server_->latest("g") / kAdapterModelFile));
}

}  // namespace
}  // namespace cairn::testing
