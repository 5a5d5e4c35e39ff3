#include "server/root/round_pipeline.h"

#include <utility>

#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"
#include "server/root/update.h"

namespace cairn {
absl::StatusOr<Adapter> ShapesOf(const Contribution& contribution, const PeftConfig& config) {
  if (contribution.payload != nullptr) return ParseAdapter(contribution.payload->bytes(), config);
  if (contribution.header == nullptr) return absl::InternalError("an update that is neither here nor described");
  CAIRN_ASSIGN_OR_RETURN(const SafetensorsHeader header,
                         ReadSafetensorsHeader(*contribution.header, contribution.receipt.bytes));
  return DescribeAdapter(header, config);
}

absl::Status RoundPipeline::Gather(CheckedAdapters::Keep keep, std::shared_ptr<const Shard> shard) {
  updates_ = CheckedAdapters(keep);
  CAIRN_ASSIGN_OR_RETURN(combine_, MakeAggregator(job_.method.combine));
  PipelineOptions options;
  options.combine = job_.method.combine;
  options.rule = job_.method.rule;
  options.guards = job_.method.guards;
  options.publish = job_.method.publish;
  options.rule_modules = job_.method.rule_modules;
  options.round = job_.version;
  options.shard = std::move(shard);
  options.known_finite = true;  // Uploads are looked at when they arrive.
  options.after_read = [this] {
    DropPages();
    return Lost();
  };
  CAIRN_ASSIGN_OR_RETURN(pipeline_, Pipeline::Create(options));
  for (const Contribution& contribution : job_.contributions) {
    if (absl::Status added = Add(contribution); !added.ok()) {
      return absl::IsInvalidArgument(added) ? BlameClient(std::move(added), contribution.receipt.client) : added;
    }
    if (contribution.payload != nullptr) contribution.payload->DropPages();
  }
  needs_ = pipeline_->needs();
  CAIRN_ASSIGN_OR_RETURN(earlier_, EarlierRounds::Open(job_, needs_, *combine_));
  pipeline_->Remember(earlier_->Memory());
  return absl::OkStatus();
}

absl::Status RoundPipeline::Add(const Contribution& contribution) {
  const ReceiptRow& receipt = contribution.receipt;
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParseUpdateConfig(receipt.adapter_config, *combine_));
  CAIRN_ASSIGN_OR_RETURN(Adapter adapter, ShapesOf(contribution, config));
  return updates_.Add(receipt.client, std::move(adapter), [&](const Adapter& there) {
    return pipeline_->Add({receipt.client, static_cast<double>(receipt.examples), &there, contribution.frozen});
  });
}

void RoundPipeline::DropPages() const {
  for (const Contribution& contribution : job_.contributions) {
    if (contribution.payload != nullptr) contribution.payload->DropPages();
  }
  if (earlier_) earlier_->DropPages();
}

std::vector<const PeftConfig*> RoundPipeline::InputConfigs() const {
  std::vector<const PeftConfig*> configs;
  for (const auto& [client, adapter] : updates_.adapters()) configs.push_back(&adapter.config);
  return configs;
}

}  // namespace cairn
