#include "tests/faults/world.h"

#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/safetensors.h"
#include "tests/integration/remote.h"

namespace cairn::faults {
namespace {

constexpr std::array<std::int64_t, kClients> kMixedRanks = {24, 16, 12, 8, 20};
constexpr std::int64_t kSameRank = 18;
constexpr std::int64_t kVectorElements = 300'000;

// `stack` adds up what it publishes, and `svd` decomposes it.
bool HasSmallModules(const std::string& combine) { return combine == "stack" || combine == "svd"; }

// The others have more than one chunk.
std::vector<ModuleSpec> ModulesOf(const std::string& combine) {
  const std::int64_t d = HasSmallModules(combine) ? 256 : 4096;
  return {{"block.down", d, d}, {"block.up", d, d}};
}

const std::vector<std::string>& VectorNames() {
  static const auto* const names =
      new std::vector<std::string>{"base_model.model.block.k.ia3_l", "base_model.model.block.v.ia3_l"};
  return *names;
}

testing::UpdateBytes Vectors(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<std::vector<float>> values(VectorNames().size(), std::vector<float>(kVectorElements));
  std::vector<TensorView> views;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::generate(values[i].begin(), values[i].end(), [&] { return uniform(random); });
    const absl::string_view bytes(reinterpret_cast<const char*>(values[i].data()), values[i].size() * sizeof(float));
    views.push_back({VectorNames()[i], DType::kF32, {kVectorElements, 1}, bytes});
  }
  return {R"({"peft_type": "IA3", "target_modules": ["k", "v"]})", *SerializeSafetensors(views)};
}

}  // namespace

std::string SmallClient(std::size_t client) { return absl::StrCat("client-", client); }

AdapterShape ShapeOfSmall(std::size_t federation) {
  const std::string combine = kSmallFederations[federation].combine;
  if (combine != "dense_mean") return testing::ShapeOf(ModulesOf(combine));
  AdapterShape shape;
  for (const std::string& name : VectorNames()) shape.tensors.push_back({name, {kVectorElements, 1}});
  return shape;
}

testing::UpdateBytes SmallUpdate(std::size_t federation, std::size_t client, std::uint64_t round, int variant) {
  const std::string combine = kSmallFederations[federation].combine;
  std::seed_seq mix{std::uint64_t{federation}, std::uint64_t{client}, round, static_cast<std::uint64_t>(variant)};
  std::array<std::uint32_t, 2> words;
  mix.generate(words.begin(), words.end());
  const std::uint64_t seed = std::uint64_t{words[0]} << 32 | words[1];
  if (combine == "dense_mean") return Vectors(seed);
  const bool mixed = combine == "zero_pad" || HasSmallModules(combine);
  const std::int64_t rank = mixed ? kMixedRanks[client] : kSameRank;
  testing::EditFactors edit;
  if (combine == "ffa") {  // Everybody's A is the same, in every round.
    edit = [](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) {
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 1009) / 1009 - 0.5f;
    };
  }
  return testing::MakeUpdateBytes(seed, ModulesOf(combine), rank, 2.0 * rank, DType::kF32, edit);
}

testing::UpdateBytes UpdateOfOtherShape(std::size_t federation, std::size_t client, std::uint64_t round) {
  const bool small = HasSmallModules(kSmallFederations[federation].combine);
  return SmallUpdate(small ? 0 : kFederationsOfOne - 1, client, round);
}

std::uint64_t ExamplesOf(std::size_t client, std::uint64_t round) {
  return 1 + (client * 7919 + round * 104'729) % 997;
}

std::string ProcessConfig(bool durable) {
  return absl::StrCat("durability: ", durable ? "durable" : "memory",
                      "\nworkers: 1\nworker_memory: 64MiB\nmemory_budget: 256MiB\nworker_lease: 500ms\n");
}

std::string FederationsConfig(std::size_t nodes) {
  std::string text = "federations:\n";
  for (std::size_t i = 0; i < FederationsOf(nodes); ++i) {
    const SmallFederation& federation = kSmallFederations[i];
    absl::StrAppend(&text, "  - {name: ", federation.name, ", combine: ", federation.combine, ", rule: '",
                    federation.rule, "', clients: {min: ", federation.min, ", target: ", kTarget,
                    "}, on_node_loss: ", federation.on_node_loss, ", node_timeout: 400ms}\n");
  }
  return text;
}

}  // namespace cairn::faults
