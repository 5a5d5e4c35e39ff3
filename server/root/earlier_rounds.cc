#include "server/root/earlier_rounds.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/root/published_files.h"

namespace cairn {

absl::StatusOr<EarlierRounds> EarlierRounds::Open(const PublishJob& job, const Rule::Needs& needs,
                                                  const Aggregator& combine) {
  EarlierRounds rounds(job, combine);
  if (needs.last && job.previous) {
    CAIRN_ASSIGN_OR_RETURN(rounds.last_, rounds.Map(job.previous->delta.value_or(job.previous->whole)));
  }
  if (job.method.relative_to_published) CAIRN_RETURN_IF_ERROR(rounds.OpenReference());
  if (needs.history) CAIRN_RETURN_IF_ERROR(rounds.OpenHistories());
  return rounds;
}

absl::StatusOr<MappedAdapter> EarlierRounds::Map(const AdapterFile& file) const {
  const std::filesystem::path path = AdapterPath(job_->data_dir, job_->federation, file.sha256);
  absl::StatusOr<MappedAdapter> mapped = MapAdapter(path, file.config, *combine_);
  if (mapped.ok()) return mapped;
  return absl::Status(mapped.status().code(), absl::StrCat(path.string(), ": ", mapped.status().message()));
}

absl::Status EarlierRounds::OpenReference() {
  if (!job_->previous) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(reference_, Map(job_->previous->whole));
  Adapter& adapter = reference_->adapter;
  if (combine_->round_start() == RoundStart::kMerge) {
    adapter.modules.clear();
    std::erase_if(adapter.tensors, [](const DenseTensor& tensor) { return !tensor.absolute; });
  }
  if (adapter.modules.empty() && adapter.tensors.empty()) reference_.reset();
  return absl::OkStatus();
}

absl::Status EarlierRounds::OpenHistories() {
  CAIRN_ASSIGN_OR_RETURN(histories_, Histories::Open(job_->data_dir, job_->federation, job_->version, combine_));
  for (const Contribution& contribution : job_->contributions) {
    const std::string& client = contribution.receipt.client;
    CAIRN_ASSIGN_OR_RETURN(const Adapter* sum, histories_->Load(client));
    if (sum != nullptr) sums_[client] = sum;
  }
  return absl::OkStatus();
}

RoundMemory EarlierRounds::Memory() const {
  return {.last = last_ ? &last_->adapter : nullptr, .reference = reference(), .histories = sums_};
}

absl::Status EarlierRounds::Extend(const std::map<std::string, Adapter>& updates) {
  if (!histories_) return RemoveHistories(job_->data_dir, job_->federation);
  for (const Contribution& contribution : job_->contributions) {
    const std::string& client = contribution.receipt.client;
    CAIRN_RETURN_IF_ERROR(histories_->Add(client, {.update = &updates.at(client),
                                                   .config = contribution.receipt.adapter_config,
                                                   .reference = reference(),
                                                   .names = job_->method.rule_modules,
                                                   .after_tensor = [&] {
                                                     contribution.payload->DropPages();
                                                     if (reference_) reference_->file.DropPages();
                                                   }}));
  }
  return histories_->Sync();
}

void EarlierRounds::DropPages() const {
  if (last_) last_->file.DropPages();
  if (reference_) reference_->file.DropPages();
  if (histories_) histories_->DropPages();
}

}  // namespace cairn
