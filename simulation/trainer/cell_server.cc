#include "simulation/trainer/cell_server.h"

#include <ATen/ATen.h>

#include <utility>

#include "aggregators/factor.h"
#include "base/status_macros.h"
#include "server/gateway/upload_check.h"
#include "server/root/history_sum.h"

namespace cairn {
namespace {

// What a client sent, as the server reads it.
struct Received {
  AdapterBytes bytes;
  Adapter adapter;
};

// With the checks of a server's front door: what it refuses as it comes is an error here, too.
absl::Status Receive(const Upload& upload, const std::string& base_model, Received& out) {
  CAIRN_ASSIGN_OR_RETURN(out.bytes, ToAdapter(upload.update, base_model));
  const std::string& file = out.bytes.safetensors;
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParsePeftConfig(out.bytes.config_json));
  CAIRN_RETURN_IF_ERROR(UploadCheck(config, nullptr, file.size()).Feed(file));
  CAIRN_ASSIGN_OR_RETURN(out.adapter, ParseAdapter(file, config));
  return absl::OkStatus();
}

at::Tensor TensorOf(const Factor& factor) {
  return cairn::TensorOf(ReadAll(factor), {factor.rows(), factor.columns()});
}

void AddTo(Lora& lora, const CombinedModule& module) {
  if (module.rank > 0) lora.modules[module.spec.name] = {TensorOf(*module.a), TensorOf(*module.b), 1};
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
  std::map<std::string, Received> received;  // By client; the pipeline keeps pointers.
  for (const Upload& upload : uploads) {
    Received& update = received[upload.client];
    const bool taken = Receive(upload, base_model_, update).ok() &&
                       pipeline.Add({upload.client, upload.examples, &update.adapter, ""}).ok();
    if (!taken) received.erase(upload.client);
  }
  const Rule::Needs needs = pipeline.needs();
  pipeline.Remember(Memory(needs));
  CAIRN_RETURN_IF_ERROR(pipeline.Plan().status());
  Lora result;
  const ResultSink sink{[&result](const CombinedModule& module) {
    AddTo(result, module);
    return absl::OkStatus();
  }};
  CAIRN_RETURN_IF_ERROR(std::move(pipeline).Run(sink).status());
  if (needs.last) last_.emplace(result);
  if (!needs.history) return result;
  for (const auto& [client, update] : received) CAIRN_RETURN_IF_ERROR(Remember(client, update.adapter));
  return result;
}

RoundMemory CellServer::Memory(const Rule::Needs& needs) const {
  RoundMemory memory;
  if (needs.last && last_) memory.last = &last_->adapter;
  for (const auto& [client, sent] : sent_) memory.histories[client] = &sent.adapter;
  return memory;
}

absl::Status CellServer::Remember(const std::string& client, const Adapter& update) {
  const auto before = sent_.find(client);
  const Adapter* earlier = before == sent_.end() ? nullptr : &before->second.adapter;
  CAIRN_ASSIGN_OR_RETURN(const Checkpoint checkpoint, HistoryWith(earlier, update, nullptr, {}));
  Lora sum;
  for (const CombinedModule& module : checkpoint.modules) AddTo(sum, module);
  sent_.insert_or_assign(client, Kept(std::move(sum)));
  return absl::OkStatus();
}

}  // namespace cairn
