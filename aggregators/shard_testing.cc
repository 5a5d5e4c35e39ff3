#include "aggregators/shard_testing.h"

#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn::testing {
namespace {

constexpr int kClients = 9;
constexpr std::int64_t kSteps[] = {7, 11};
// Even, for modules of two groups.
constexpr std::int64_t kRanks[kClients + 1] = {2, 4, 2, 6, 4, 2, 2, 4, 2, 4};
constexpr std::size_t kLong = 70'000;  // More than a chunk of gram_tensors.cc.

const std::vector<ModuleSpec>& Modules() {
  static const auto& modules = *new std::vector<ModuleSpec>{
      {"x.0.q", 12, 10, {}},
      {"x.0.v", 9, 14, {}},
      {"x.1.conv", 8, 6, {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = 2}},
      {"x.1.q", 12, 10, {}},
      {"x.1.v", 9, 14, {}}};
  return modules;
}

std::vector<ModuleSpec> Without(std::size_t left_out) {
  std::vector<ModuleSpec> modules = Modules();
  modules.erase(modules.begin() + static_cast<std::ptrdiff_t>(left_out));
  return modules;
}

std::string BytesOf(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
}

std::string Factor(const FactorPtr& factor) { return factor == nullptr ? "none" : BytesOf(ReadAllDouble(*factor)); }

}  // namespace

ShardedRound::ShardedRound(bool broken) {
  for (int i = 0; i < kClients; ++i) {
    const bool trusted = i == kClients - 1;
    const std::vector<ModuleSpec> modules = i == 2 ? Without(1) : Modules();
    clients_[trusted ? "trusted" : absl::StrCat("client-", i)] = &Make(i, modules, broken && (i == 4 || i == 6));
  }
  std::vector<ModuleSpec> more = Modules();
  more.push_back({"x.2.q", 5, 4, {}});
  last_ = &Make(100, more, false);
  reference_ = &Make(101, Modules(), false);
  for (const int i : {0, 1, 2, 5}) histories_[absl::StrCat("client-", i)] = &Make(200 + i, Modules(), false);
  for (const ModuleSpec& module : more) modules_.push_back(module.name);
  tensors_ = {"bias", "change", "long", "steps"};
}

Adapter& ShardedRound::Make(std::uint64_t seed, const std::vector<ModuleSpec>& modules, bool broken) {
  const EditFactors edit = [&](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>&) {
    if (broken && spec.name == (seed == 4 ? "x.0.v" : "x.1.q")) a[1] = std::numeric_limits<float>::quiet_NaN();
  };
  const double alpha = seed == 7 ? 60 : 2 + static_cast<double>(seed % 5);
  updates_.push_back(MakeUpdate(seed, modules, kRanks[seed % 10], alpha, seed == 3 ? DType::kF64 : DType::kF32, edit));
  Adapter& adapter = adapters_.emplace_back(updates_.back().adapter());
  AddTensors(seed, broken, adapter);
  return adapter;
}

void ShardedRound::AddTensors(std::uint64_t seed, bool broken, Adapter& adapter) {
  std::mt19937_64 random(seed);
  const auto values = [&](std::size_t count) {
    std::vector<float> drawn(count);
    for (float& value : drawn) value = std::ldexp(static_cast<float>(random() >> 40), -24) - 0.25F;
    return drawn;
  };
  std::vector<float> bias = values(5);
  if (broken) bias[3] = std::numeric_limits<float>::infinity();
  AddTensor("bias", std::move(bias), true, adapter);
  if (seed != 5) AddTensor("change", values(300), false, adapter);
  AddTensor("long", values(kLong), false, adapter);
  adapter.tensors.push_back({.view = {.name = "steps",
                                      .dtype = DType::kI64,
                                      .shape = {2},
                                      .data = {reinterpret_cast<const char*>(kSteps), sizeof(kSteps)}}});
}

void ShardedRound::AddTensor(const std::string& name, std::vector<float> values, bool absolute, Adapter& adapter) {
  const std::vector<float>& kept = values_.emplace_back(std::move(values));
  TensorView view{.name = name, .shape = {static_cast<std::int64_t>(kept.size())}};
  view.data = {reinterpret_cast<const char*>(kept.data()), kept.size() * sizeof(float)};
  adapter.tensors.push_back({.view = view, .scale = absolute ? 1.0 : 2.0, .absolute = absolute});
}

absl::Status ShardedRound::AddTo(Pipeline& pipeline, bool memory) const {
  double examples = 1;
  for (const auto& [client, adapter] : clients_) {
    CAIRN_RETURN_IF_ERROR(pipeline.Add({client, examples++, adapter, ""}));
  }
  if (memory) pipeline.Remember({.last = last_, .reference = reference_, .histories = histories_});
  return absl::OkStatus();
}

absl::StatusOr<RoundResult> RunRound(const ShardedRound& round, const PipelineOptions& options, bool memory) {
  CAIRN_ASSIGN_OR_RETURN(Pipeline pipeline, Pipeline::Create(options));
  CAIRN_RETURN_IF_ERROR(round.AddTo(pipeline, memory));
  CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, pipeline.Plan());
  RoundResult result;
  for (const ModuleSpec& module : plan.spec.modules) result.planned.push_back(module.name);
  for (const TensorSpec& tensor : plan.spec.tensors) result.planned.push_back(tensor.name);
  const ResultSink sink{
      [&](const CombinedModule& module) {
        for (const FactorPtr& factor : {module.a, module.b, module.change}) {
          if (factor == nullptr) continue;
          CAIRN_RETURN_IF_ERROR(ForEachBlockDouble(*factor, [](absl::Span<const double>) { return absl::OkStatus(); }));
        }
        result.parts["module " + module.spec.name] = absl::StrCat(
            module.rank, " ", module.rank_in, " ", Factor(module.a), Factor(module.b), Factor(module.change));
        return absl::OkStatus();
      },
      [&](const CombinedTensor& tensor) {
        result.parts["tensor " + tensor.spec.name] =
            tensor.values == nullptr ? std::string(tensor.same.data) : Factor(tensor.values);
        return absl::OkStatus();
      }};
  CAIRN_ASSIGN_OR_RETURN(result.report, std::move(pipeline).Run(sink));
  return result;
}

}  // namespace cairn::testing
