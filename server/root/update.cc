#include "server/root/update.h"

#include <utility>

#include "aggregators/registry.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr char kAveragesByName[] = "dense_mean";

}  // namespace

bool TakesPlainTensors(const Aggregator& combine) { return combine.name() == kAveragesByName; }

absl::StatusOr<PeftConfig> ParseUpdateConfig(absl::string_view adapter_config, const Aggregator& combine) {
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParsePeftConfig(adapter_config));
  if (TakesPlainTensors(combine)) config.kind = AdapterKind::kAveraged;
  return config;
}

absl::StatusOr<Rehearsal> Rehearsal::Begin(const std::string& combine) {
  Rehearsal rehearsal;
  CAIRN_ASSIGN_OR_RETURN(rehearsal.combine_, MakeAggregator(combine));
  return rehearsal;
}

absl::Status Rehearsal::Add(const std::string& client, std::uint64_t examples, std::shared_ptr<const Adapter> shape,
                            const std::string& frozen) {
  CAIRN_RETURN_IF_ERROR(combine_->AccumulateShape({client, static_cast<double>(examples), shape.get(), frozen}));
  shapes_.push_back(std::move(shape));
  return absl::OkStatus();
}

absl::Status Rehearsal::Restore(Store& store, const ReceiptRow& receipt) {
  CAIRN_ASSIGN_OR_RETURN(auto blob, store.Find(receipt.federation, UpdateName(receipt.client, receipt.sha256)));
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParseUpdateConfig(receipt.adapter_config, *combine_));
  CAIRN_ASSIGN_OR_RETURN(const Adapter update, ParseAdapter(blob->bytes(), config));
  CAIRN_ASSIGN_OR_RETURN(SafetensorsHeader header, ReadSafetensorsHeader(blob->bytes(), blob->bytes().size()));
  CAIRN_ASSIGN_OR_RETURN(Adapter shape, DescribeAdapter(header, config));
  const std::string frozen = combine_->FrozenParts(update);
  blob->DropPages();
  return Add(receipt.client, receipt.examples, std::make_shared<const Adapter>(std::move(shape)), frozen);
}

}  // namespace cairn
