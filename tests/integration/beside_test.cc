// Tensors beside the factors, end to end: what trains further is replaced, what is merged is added.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const std::vector<std::pair<std::string, std::vector<std::int64_t>>> kBeside = {
    {absl::StrCat(kPeftPrefix, "block.attn.q.bias"), {8}},         // bias: lora_only
    {absl::StrCat(kPeftPrefix, "block.attn.q.lora_B.bias"), {8}},  // lora_bias
    {absl::StrCat(kPeftPrefix, "block.mlp.up.lora_B.bias"), {20}},
    {absl::StrCat(kPeftPrefix, "head.weight"), {2, 3}},  // modules_to_save
};

// An update of scale 2 whose tensors beside the factors hold `value` everywhere.
UpdateBytes WithTensors(std::uint64_t seed, float value) {
  const UpdateBytes factors = MakeUpdateBytes(seed, kModules, 4, 8, DType::kF32);
  PeftConfig config = *ParsePeftConfig(factors.config_json);
  config.bias = PeftConfig::Bias::kLoraOnly;
  config.lora_bias = true;
  config.modules_to_save = {"head"};
  const std::vector<float> values(20, value);
  const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  std::vector<TensorView> tensors = ParseSafetensors(factors.safetensors)->tensors;
  for (const auto& [name, shape] : kBeside) {
    TensorView view{name, DType::kF32, shape, bytes};
    view.data = bytes.substr(0, view.elements() * sizeof(float));
    tensors.push_back(view);
  }
  return {SerializePeftConfig(config), *SerializeSafetensors(tensors)};
}

class BesideTest : public FederationFixture {
 protected:
  void Begin(const std::string& combine) {
    Serve(absl::StrCat("  - {name: f, combine: ", combine, ", clients: {min: 2}}\n"));
    AdapterShape shape = ShapeOf(kModules);
    for (const auto& [name, dimensions] : kBeside) shape.tensors.push_back({name, dimensions});
    for (const char* name : {"ada", "bob"}) {
      auto client = Client::Join(FastOptions(server_->address(), "f", name), shape);
      ASSERT_TRUE(client.ok()) << client.status();
      clients_.push_back(*std::move(client));
    }
  }
  // ada counts a quarter.
  void Push(std::uint64_t round, float ada, float bob) {
    ASSERT_TRUE(PushOne(*clients_[0], WithTensors(2 * round, ada), round, 1).ok());
    ASSERT_TRUE(PushOne(*clients_[1], WithTensors(2 * round + 1, bob), round, 3).ok());
    ASSERT_TRUE(clients_[0]->AwaitRound(absl::Seconds(20)).ok());
  }
  // By the ends of their names: the first value; all are the same.
  std::map<std::string, double> Published(std::uint64_t version, Form form) {
    std::map<std::string, double> out;
    const auto stored = OpenAdapterDirectory(Pull(version, form));
    EXPECT_TRUE(stored.ok()) << stored.status();
    for (const DenseTensor& tensor : stored->adapter.tensors) {
      std::vector<float> values(tensor.view.elements());
      ToFloat(tensor.view.dtype, tensor.view.data.data(), values.size(), values.data());
      for (float value : values) EXPECT_EQ(value, values[0]);
      out[tensor.view.name.substr(kPeftPrefix.size())] = tensor.scale * values[0];
    }
    return out;
  }
};

// Round 1: 1/4 * 4 + 3/4 * 8 = 7; of the update's own bias, twice that. Round 2: 3 and 6.
TEST_F(BesideTest, MergingAddsTheBiasOfTheUpdateAndReplacesTheOthers) {
  Begin("stack");
  Push(1, 4, 8);
  Push(2, 12, 0);
  EXPECT_THAT(Published(2, Form::kDelta), ElementsAre(Pair("block.attn.q.bias", 3), Pair("block.attn.q.lora_B.bias", 6),
                                                      Pair("block.mlp.up.lora_B.bias", 6), Pair("head.weight", 3)));
  EXPECT_THAT(Published(2, Form::kAdapter),
              ElementsAre(Pair("block.attn.q.bias", 3), Pair("block.attn.q.lora_B.bias", 14 + 6),
                          Pair("block.mlp.up.lora_B.bias", 14 + 6), Pair("head.weight", 3)));
}

TEST_F(BesideTest, WhatIsTrainedFurtherIsReplaced) {
  Begin("residual");
  Push(1, 4, 8);
  Push(2, 12, 0);
  for (const Form form : {Form::kDelta, Form::kAdapter}) {
    EXPECT_THAT(Published(2, form), ElementsAre(Pair("block.attn.q.bias", 3), Pair("block.attn.q.lora_B.bias", 6),
                                                Pair("block.mlp.up.lora_B.bias", 6), Pair("head.weight", 3)));
  }
}

}  // namespace
}  // namespace cairn::testing
