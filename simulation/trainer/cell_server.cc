#include "simulation/trainer/cell_server.h"

#include <ATen/ATen.h>

#include <list>
#include <utility>

#include "aggregators/factor.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// What a client sent, as the server reads it.
struct Received {
  AdapterBytes bytes;
  Adapter adapter;
};

absl::Status Receive(const Upload& upload, const std::string& base_model, Received& out) {
  CAIRN_ASSIGN_OR_RETURN(out.bytes, ToAdapter(upload.update, base_model));
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParsePeftConfig(out.bytes.config_json));
  CAIRN_ASSIGN_OR_RETURN(out.adapter, ParseAdapter(out.bytes.safetensors, config));
  return absl::OkStatus();
}

at::Tensor TensorOf(const Factor& factor) {
  return cairn::TensorOf(ReadAll(factor), {factor.rows(), factor.columns()});
}

// The sum of two adapters: their units side by side, with scale 1.
Lora SumOf(const Lora& x, const Lora& y) {
  Lora out = x;
  for (const auto& [module, more] : y.modules) {
    const auto found = x.modules.find(module);
    if (found == x.modules.end()) {
      out.modules[module] = more;
      continue;
    }
    const Factors& factors = found->second;
    out.modules[module] = {at::cat({factors.a, more.a}, 0),
                           at::cat({factors.b * factors.scale, more.b * more.scale}, 1), 1};
  }
  return out;
}

}  // namespace

CellServer::Kept::Kept(Lora kept) : lora(std::move(kept)) {
  for (auto& [name, factors] : lora.modules) {
    factors.a = factors.a.contiguous();
    factors.b = factors.b.contiguous();
    const std::int64_t rank = factors.a.size(0), d_in = factors.a.size(1), d_out = factors.b.size(0);
    adapter.modules.push_back({.name = name,
                               .d_in = d_in,
                               .d_out = d_out,
                               .rank = rank,
                               .scale = factors.scale,
                               .a = {LoraAName(name), DType::kF32, {rank, d_in}, BytesOf(factors.a)},
                               .b = {LoraBName(name), DType::kF32, {d_out, rank}, BytesOf(factors.b)}});
  }
}

absl::StatusOr<CellServer> CellServer::Create(const GridRule& rule, std::string base_model) {
  CellServer server;
  server.base_model_ = std::move(base_model);
  server.options_.combine = rule.combine;
  server.options_.rule = rule.rule;
  server.options_.guards = rule.guards;
  server.options_.threads = 1;
  if (!rule.publish.empty()) {
    CAIRN_ASSIGN_OR_RETURN(server.options_.publish, ParsePublishForm(rule.publish));
  }
  CAIRN_RETURN_IF_ERROR(Pipeline::Create(server.options_).status());
  return server;
}

absl::StatusOr<Lora> CellServer::Combine(std::uint64_t round, const std::vector<Upload>& uploads) {
  PipelineOptions options = options_;
  options.round = round;
  CAIRN_ASSIGN_OR_RETURN(Pipeline pipeline, Pipeline::Create(options));
  std::list<Received> received;  // The pipeline keeps pointers.
  for (const Upload& upload : uploads) {
    Received& update = received.emplace_back();
    if (!Receive(upload, base_model_, update).ok()) continue;
    pipeline.Add({upload.client, upload.examples, &update.adapter, ""}).IgnoreError();
  }
  const Rule::Needs needs = pipeline.needs();
  pipeline.Remember(Memory(needs));
  CAIRN_RETURN_IF_ERROR(pipeline.Plan().status());
  Lora result;
  const ResultSink sink{[&result](const CombinedModule& module) {
    if (module.rank > 0) result.modules[module.spec.name] = {TensorOf(*module.a), TensorOf(*module.b), 1};
    return absl::OkStatus();
  }};
  CAIRN_RETURN_IF_ERROR(std::move(pipeline).Run(sink).status());
  Remember(needs, uploads, result);
  return result;
}

RoundMemory CellServer::Memory(const Rule::Needs& needs) const {
  RoundMemory memory;
  if (needs.last && last_) memory.last = &last_->adapter;
  for (const auto& [client, sent] : sent_) memory.histories[client] = &sent.adapter;
  return memory;
}

void CellServer::Remember(const Rule::Needs& needs, const std::vector<Upload>& uploads, const Lora& result) {
  if (needs.last) last_.emplace(result);
  if (!needs.history) return;
  for (const Upload& upload : uploads) {
    const auto before = sent_.find(upload.client);
    Kept sum(before == sent_.end() ? upload.update : SumOf(before->second.lora, upload.update));
    sent_.insert_or_assign(upload.client, std::move(sum));
  }
}

}  // namespace cairn
