#include "aggregators/testing.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include "adapter/peft_config.h"
#include "adapter/safetensors.h"
#include "aggregators/weighing.h"
#include "base/status_macros.h"

namespace cairn::testing {
namespace {

template <typename T>
T ValueOrDie(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "test input: %s\n", value.status().ToString().c_str());
  std::abort();
}

// Not std::uniform_real_distribution, whose values differ between standard libraries.
std::vector<float> RandomFloats(std::int64_t count, std::mt19937_64& random) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(static_cast<double>(random() >> 40) * 0x1p-23 - 1);
  return values;
}

std::string Encoded(DType dtype, const std::vector<float>& values) {
  std::string bytes(values.size() * SizeOf(dtype), '\0');
  FromFloat(dtype, values.data(), values.size(), bytes.data());
  return bytes;
}

std::string ConfigJson(const std::vector<ModuleSpec>& modules, std::int64_t rank, double alpha) {
  PeftConfig config;
  config.rank = rank;
  config.alpha = alpha;
  for (const ModuleSpec& module : modules) config.target_modules.push_back(module.name);
  return SerializePeftConfig(config);
}

kernels::reference::Matrix MatrixOf(const TensorView& view) {
  std::vector<float> values(view.elements());
  ToFloat(view.dtype, view.data.data(), values.size(), values.data());
  return {view.shape[0], view.shape[1], std::vector<double>(values.begin(), values.end())};
}

}  // namespace

UpdateBytes MakeUpdateBytes(std::uint64_t seed, const std::vector<ModuleSpec>& modules, std::int64_t rank, double alpha,
                            DType dtype, const EditFactors& edit) {
  std::mt19937_64 random(seed);
  std::vector<std::string> data;
  data.reserve(2 * modules.size());  // The views below must not move.
  std::vector<TensorView> tensors;
  for (const ModuleSpec& module : modules) {
    std::vector<float> a = RandomFloats(rank * module.d_in, random);
    std::vector<float> b = RandomFloats(module.d_out * rank, random);
    if (edit) edit(module, a, b);
    tensors.push_back({LoraAName(module.name), dtype, {rank, module.d_in}, data.emplace_back(Encoded(dtype, a))});
    tensors.push_back({LoraBName(module.name), dtype, {module.d_out, rank}, data.emplace_back(Encoded(dtype, b))});
  }
  return {ConfigJson(modules, rank, alpha), ValueOrDie(SerializeSafetensors(tensors))};
}

InMemoryUpdate::InMemoryUpdate(UpdateBytes bytes)
    : bytes_(std::make_unique<UpdateBytes>(std::move(bytes))),
      adapter_(ValueOrDie(ParseAdapter(bytes_->safetensors, ValueOrDie(ParsePeftConfig(bytes_->config_json))))) {}

InMemoryUpdate MakeUpdate(std::uint64_t seed, const std::vector<ModuleSpec>& modules, std::int64_t rank, double alpha,
                          DType dtype, const EditFactors& edit) {
  return InMemoryUpdate(MakeUpdateBytes(seed, modules, rank, alpha, dtype, edit));
}

kernels::reference::Update ReferenceOf(const LoraModule& module, double weight) {
  return {weight, module.scale, MatrixOf(module.a), MatrixOf(module.b)};
}

kernels::reference::Factors ReferenceOf(const ReportedModule& module) {
  const ModuleSpec& spec = module.spec;
  return {{module.rank, spec.d_in, std::vector<double>(module.a.begin(), module.a.end())},
          {spec.d_out, module.rank / spec.layer.groups, std::vector<double>(module.b.begin(), module.b.end())}};
}

namespace {

// And their total.
absl::StatusOr<std::pair<std::vector<double>, double>> WeightsOf(const std::string& rule,
                                                                 const Aggregator& aggregator) {
  if (aggregator.clients() == 0) return std::pair(std::vector<double>(), 1.0);
  CAIRN_ASSIGN_OR_RETURN(const Weighing weighing, Weighing::Create(rule, {}));
  WeighingInput input;
  for (const auto& [client, update] : aggregator.updates()) {
    input.clients.push_back(client);
    input.examples.push_back(update.examples);
  }
  CAIRN_ASSIGN_OR_RETURN(const WeighingOutput output, weighing.Weigh(input));
  if (output.total > 0) return std::pair(input.examples, output.total);
  std::vector<double> weights;
  for (const ClientWeight& client : output.clients) weights.push_back(client.weight);
  return std::pair(weights, 1.0);
}

}  // namespace

absl::StatusOr<Reported> ReportAll(Aggregator&& aggregator, absl::string_view rule) {
  CAIRN_ASSIGN_OR_RETURN(const auto weights, WeightsOf(std::string(rule), aggregator));
  Reported reported;
  const auto append = [](std::vector<float>& values) {
    return [&values](absl::Span<const float> block) {
      values.insert(values.end(), block.begin(), block.end());
      return absl::OkStatus();
    };
  };
  ResultSink sink;
  sink.module = [&](const CombinedModule& module) {
    ReportedModule& out = reported.modules.emplace_back();
    out.spec = module.spec;
    out.rank = module.rank;
    CAIRN_RETURN_IF_ERROR(ForEachBlock(*module.a, append(out.a)));
    return ForEachBlock(*module.b, append(out.b));
  };
  sink.tensor = [&](const CombinedTensor& tensor) {
    ReportedTensor& out = reported.tensors.emplace_back();
    out.spec = tensor.spec;
    if (tensor.values == nullptr) {
      out.same = std::string(tensor.same.data);
      return absl::OkStatus();
    }
    return ForEachBlock(*tensor.values, append(out.values));
  };
  CAIRN_RETURN_IF_ERROR(std::move(aggregator).Report(weights.first, sink, weights.second));
  return reported;
}

}  // namespace cairn::testing
