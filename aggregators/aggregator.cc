#include "aggregators/aggregator.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/check_update.h"
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

}  // namespace

absl::Status Aggregator::Accumulate(const ClientUpdate& update) { return Add(update, CheckUpdateValues); }

absl::Status Aggregator::AccumulateShape(const ClientUpdate& update) {
  return Add(update, [](const Adapter&) { return absl::OkStatus(); });
}

// Cheap checks first: the values are looked at only when all else is right.
absl::Status Aggregator::Add(ClientUpdate update, absl::FunctionRef<absl::Status(const Adapter&)> check_values) {
  CAIRN_RETURN_IF_ERROR(CheckId("client id", update.client));
  CAIRN_RETURN_IF_ERROR(ForClient(update.client, CheckAlone(update)));
  auto spec = UnionOf(spec_, SpecOf(*update.adapter));
  if (!spec.ok()) return ForClient(update.client, spec.status());
  if (update.frozen.empty() && CheckUpdateBytes(*update.adapter).ok()) {
    const bool own = shard_ != nullptr && shard_->only_own_values;  // What is not, its owners look at.
    update.frozen = FrozenParts(own ? OwnPart(*shard_, *update.adapter) : *update.adapter);
  }
  CAIRN_RETURN_IF_ERROR(CheckTypes(update));
  CAIRN_RETURN_IF_ERROR(common_.Check(name(), absl::StrCat("client ", update.client), update.frozen));
  CAIRN_RETURN_IF_ERROR(DoCheck(update));
  auto ranks = RanksWith(*spec, *update.adapter);
  if (!ranks.ok()) return ForClient(update.client, ranks.status());
  CAIRN_RETURN_IF_ERROR(ForClient(update.client, check_values(*update.adapter)));
  Remember(std::move(update));
  spec_ = *std::move(spec);
  ranks_ = *std::move(ranks);
  return absl::OkStatus();
}

void Aggregator::Remember(ClientUpdate update) {
  for (const LoraModule& module : update.adapter->modules) first_.try_emplace(module.name, update.client, &module);
  for (const DenseTensor& tensor : update.adapter->tensors) {
    types_.try_emplace(tensor.view.name, update.client, tensor.view.dtype);
  }
  common_.Add(absl::StrCat("client ", update.client), update.frozen);
  std::string().swap(update.frozen);
  std::string client = update.client;
  updates_.emplace(std::move(client), std::move(update));
}

// Floats of any two types have a mean; anything else must be of one type.
absl::Status Aggregator::CheckTypes(const ClientUpdate& update) const {
  for (const DenseTensor& tensor : update.adapter->tensors) {
    const auto found = types_.find(tensor.view.name);
    if (found == types_.end()) continue;
    const auto& [client, type] = found->second;
    if (type == tensor.view.dtype || (IsFloat(type) && IsFloat(tensor.view.dtype))) continue;
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", tensor.view.name, "\": client ", update.client, " has ",
                                                   NameOf(tensor.view.dtype), ", client ", client, " has ",
                                                   NameOf(type), "; only floating-point types may be mixed"));
  }
  return absl::OkStatus();
}

absl::Status Aggregator::AddBeside(absl::string_view name, const Adapter& adapter) {
  const auto of = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", status.message()));
  };
  AdapterSpec added = SpecOf(adapter);
  added.base_model.clear();  // Published ones have the name that the server was given.
  auto spec = UnionOf(spec_, added);
  if (!spec.ok()) return of(spec.status());
  auto ranks = RanksWith(*spec, adapter);
  if (!ranks.ok()) return of(ranks.status());
  beside_.emplace_back(name, &adapter);
  spec_ = *std::move(spec);
  ranks_ = *std::move(ranks);
  return absl::OkStatus();
}

void Aggregator::GoOnFrom(absl::string_view holder, const Adapter& published) {
  published_ = std::string(holder);
  // Factors only: tensors that cannot be averaged may change from round to round, if all clients agree.
  Adapter factors;
  factors.modules = published.modules;
  if (kept().a) common_.Add(holder, FrozenDigests(factors, {.a = true, .b = false}));
  if (!kept().rank) return;
  for (const LoraModule& module : published.modules) kept_ranks_.emplace(module.name, module.rank);
}

absl::Status Aggregator::CheckKeptRanks(const Adapter& adapter) const {
  for (const LoraModule& module : adapter.modules) {
    const auto kept = kept_ranks_.find(module.name);
    if (kept == kept_ranks_.end() || kept->second == module.rank) continue;
    return absl::InvalidArgumentError(absl::StrCat("combine ", name(), ": module ", module.name, ": rank ", module.rank,
                                                   ", ", published_, " has rank ", kept->second,
                                                   ", from which the clients of a round go on"));
  }
  return absl::OkStatus();
}

absl::Status Aggregator::CheckAlone(const ClientUpdate& update) const {
  if (updates_.count(update.client) > 0) return absl::AlreadyExistsError("already contributed to this round");
  if (updates_.size() >= limits::kCohortClientsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the round already has ", updates_.size(), " clients, the most it may have"));
  }
  CAIRN_RETURN_IF_ERROR(CheckExamples(update.examples));
  CAIRN_RETURN_IF_ERROR(CheckUpdateShapes(update.adapter));
  CAIRN_RETURN_IF_ERROR(DoCheckKind(update.adapter->config));
  CAIRN_RETURN_IF_ERROR(CheckKeptRanks(*update.adapter));
  for (const LoraModule& module : update.adapter->modules) {
    if (module.core.has_value() == TakesCores()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "module ", module.name, ": ",
        TakesCores() ? absl::StrCat("combine ", name(), " needs a core (", module.name,
                                    ".lora_latent_mapping.weight) beside lora_A and lora_B")
                     : absl::StrCat("has a core between its factors, which only combine core_mean takes")));
  }
  return absl::OkStatus();
}

absl::Status Aggregator::DoCheckKind(const PeftConfig& config) const {
  if (config.kind == AdapterKind::kLora) return absl::OkStatus();
  const std::string what = config.kind == AdapterKind::kBilinear
                               ? config.kind_reason
                               : absl::StrCat("peft_type ", config.peft_type, " is no LoRA");
  return absl::InvalidArgumentError(absl::StrCat("combine ", name(), " takes LoRA updates only: ", what,
                                                 "; combine dense_mean averages its tensors"));
}

// Both specs ascend by name, and the ranks so far go with the modules of spec_.
absl::StatusOr<std::vector<std::int64_t>> Aggregator::RanksWith(const AdapterSpec& spec, const Adapter& adapter) const {
  std::vector<std::int64_t> ranks(spec.modules.size(), 0);
  std::size_t old = 0, own = 0;
  for (std::size_t m = 0; m < ranks.size(); ++m) {
    const std::string& name = spec.modules[m].name;
    if (old < spec_.modules.size() && spec_.modules[old].name == name) ranks[m] = ranks_[old++];
    if (own == adapter.modules.size() || adapter.modules[own].name != name) continue;
    ranks[m] = DoRank(ranks[m], adapter.modules[own++].rank);
    if (ranks[m] > limits::kRankMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("module ", name, ": the combined rank ", ranks[m], " exceeds ", limits::kRankMax));
    }
  }
  return ranks;
}

const std::pair<std::string, const LoraModule*>* Aggregator::FirstWith(absl::string_view module) const {
  const auto found = first_.find(module);
  return found == first_.end() ? nullptr : &found->second;
}

absl::StatusOr<std::vector<WeightedModule>> Aggregator::DoWeigh(absl::Span<const WeightedModule> inputs) const {
  return std::vector<WeightedModule>(inputs.begin(), inputs.end());
}

}  // namespace cairn
