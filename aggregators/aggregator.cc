#include "aggregators/aggregator.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Says which client a status is about; the code stays.
absl::Status ForClient(absl::string_view client, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("client ", client, ": ", status.message()));
}

absl::Status CheckExamples(double examples) {
  // Written so that NaN, which compares false, is refused too.
  if (examples > 0 && examples <= kExamplesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("weight: expected an example count above 0 and at most 2^53, got ", examples));
}

absl::Status CheckShape(const LoraModule& module, const TensorView& view, std::array<std::int64_t, 2> expected) {
  const auto [rows, columns] = expected;
  if (view.shape.size() != 2 || view.shape[0] != rows || view.shape[1] != columns) {
    return absl::InvalidArgumentError(absl::StrCat("module ", module.name, ": tensor ", view.name, ": expected shape [",
                                                   rows, ", ", columns, "], got [", absl::StrJoin(view.shape, ", "),
                                                   "]"));
  }
  return absl::OkStatus();
}

// A view that lies about its size would be read past its end.
absl::Status CheckBytes(const LoraModule& module, const TensorView& view) {
  const std::size_t bytes = static_cast<std::size_t>(view.shape[0]) * view.shape[1] * SizeOf(view.dtype);
  if (view.data.size() == bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("module ", module.name, ": tensor ", view.name, ": expected ", bytes,
                                                 " bytes, got ", view.data.size()));
}

absl::Status CheckModule(const LoraModule& module) {
  if (module.rank <= 0 || module.rank > limits::kRankMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("module ", module.name, ": expected a rank from 1 to ", limits::kRankMax, ", got ", module.rank));
  }
  if (module.scale - module.scale != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("module ", module.name, ": expected a finite scale, got ", module.scale));
  }
  CAIRN_RETURN_IF_ERROR(CheckShape(module, module.a, {module.rank, module.d_in}));
  return CheckShape(module, module.b, {module.d_out, module.rank});
}

absl::Status CheckAdapter(const Adapter* adapter) {
  if (adapter == nullptr || adapter->modules.empty()) return absl::InvalidArgumentError("the update has no module");
  CAIRN_RETURN_IF_ERROR(CheckSpec(SpecOf(*adapter)));
  for (const LoraModule& module : adapter->modules) CAIRN_RETURN_IF_ERROR(CheckModule(module));
  return absl::OkStatus();
}

absl::Status CheckAllBytes(const Adapter& adapter) {
  for (const LoraModule& module : adapter.modules) {
    CAIRN_RETURN_IF_ERROR(CheckBytes(module, module.a));
    CAIRN_RETURN_IF_ERROR(CheckBytes(module, module.b));
  }
  return absl::OkStatus();
}

absl::Status CheckValues(const Adapter& adapter) {
  CAIRN_RETURN_IF_ERROR(CheckAllBytes(adapter));
  return CheckFinite(adapter);
}

absl::Status NoClients() { return absl::FailedPreconditionError("no client contributed: there is nothing to combine"); }

// Sizes `out` for a module; keeps its memory between modules.
void Prepare(const LoraModule& module, std::int64_t rank, CombinedModule& out) {
  out.name = module.name;
  out.d_in = module.d_in;
  out.d_out = module.d_out;
  out.rank = rank;
  out.a.resize(static_cast<std::size_t>(rank) * module.d_in);
  out.b.resize(static_cast<std::size_t>(module.d_out) * rank);
}

bool AllFinite(const std::vector<float>& values) {
  const char* bytes = reinterpret_cast<const char*>(values.data());
  return FirstNonFinite(DType::kF32, bytes, values.size()) == values.size();
}

}  // namespace

absl::Status Aggregator::Accumulate(const ClientUpdate& update) { return Add(update, CheckValues); }

absl::Status Aggregator::AccumulateShape(const ClientUpdate& update) {
  return Add(update, [](const Adapter&) { return absl::OkStatus(); });
}

// Cheap checks first: the values are looked at only when all else is right.
absl::Status Aggregator::Add(const ClientUpdate& update,
                             absl::FunctionRef<absl::Status(const Adapter&)> check_values) {
  CAIRN_RETURN_IF_ERROR(CheckId("client id", update.client));
  CAIRN_RETURN_IF_ERROR(ForClient(update.client, CheckUpdate(update)));
  CAIRN_RETURN_IF_ERROR(DoCheck(update));
  auto ranks = RanksWith(*update.adapter);
  if (!ranks.ok()) return ForClient(update.client, ranks.status());
  CAIRN_RETURN_IF_ERROR(ForClient(update.client, check_values(*update.adapter)));
  updates_.emplace(update.client, update);
  ranks_ = *std::move(ranks);
  return absl::OkStatus();
}

absl::Status Aggregator::CheckUpdate(const ClientUpdate& update) const {
  if (updates_.count(update.client) > 0) return absl::AlreadyExistsError("already contributed to this round");
  if (updates_.size() >= limits::kCohortClientsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the round already has ", updates_.size(), " clients, the most it may have"));
  }
  CAIRN_RETURN_IF_ERROR(CheckExamples(update.examples));
  CAIRN_RETURN_IF_ERROR(CheckAdapter(update.adapter));
  if (!updates_.empty()) {
    CAIRN_RETURN_IF_ERROR(CheckAgainstSpec(*update.adapter, SpecOf(*updates_.begin()->second.adapter)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::int64_t>> Aggregator::RanksWith(const Adapter& adapter) const {
  std::vector<std::int64_t> ranks = ranks_;
  ranks.resize(adapter.modules.size(), 0);
  for (std::size_t m = 0; m < ranks.size(); ++m) {
    ranks[m] = DoRank(ranks[m], adapter.modules[m].rank);
    if (ranks[m] > limits::kRankMax) {
      return absl::InvalidArgumentError(absl::StrCat("module ", adapter.modules[m].name, ": the combined rank ",
                                                     ranks[m], " exceeds ", limits::kRankMax));
    }
  }
  return ranks;
}

std::vector<double> Aggregator::Weights() const {
  double total = 0;
  for (const auto& [client, update] : updates_) total += update.examples;
  std::vector<double> weights;
  weights.reserve(updates_.size());
  for (const auto& [client, update] : updates_) weights.push_back(update.examples / total);
  return weights;
}

absl::StatusOr<std::vector<CombinedShape>> Aggregator::Shapes() const {
  if (updates_.empty()) return NoClients();
  const std::vector<LoraModule>& modules = updates_.begin()->second.adapter->modules;
  std::vector<CombinedShape> shapes;
  shapes.reserve(modules.size());
  for (std::size_t m = 0; m < modules.size(); ++m) {
    shapes.push_back({modules[m].name, modules[m].d_in, modules[m].d_out, ranks_[m]});
  }
  return shapes;
}

absl::Status Aggregator::Report(const ModuleSink& sink) && {
  if (updates_.empty()) return NoClients();
  // AccumulateShape takes updates without bytes; combining them would read past the end of nothing.
  for (const auto& [client, update] : updates_) {
    CAIRN_RETURN_IF_ERROR(ForClient(client, CheckAllBytes(*update.adapter)));
  }
  const std::vector<LoraModule>& first = updates_.begin()->second.adapter->modules;
  const std::vector<double> weights = Weights();
  std::vector<WeightedModule> inputs(updates_.size());
  CombinedModule out;
  for (std::size_t m = 0; m < first.size(); ++m) {
    std::size_t i = 0;
    for (const auto& [client, update] : updates_) {
      inputs[i] = {weights[i], &update.adapter->modules[m]};
      ++i;
    }
    Prepare(first[m], ranks_[m], out);
    DoCombine(inputs, out);
    if (!AllFinite(out.a) || !AllFinite(out.b)) {
      return absl::OutOfRangeError(absl::StrCat("module ", out.name, ": the combined factors overflow float32"));
    }
    CAIRN_RETURN_IF_ERROR(sink(out));
  }
  return absl::OkStatus();
}

}  // namespace cairn
