#include "server/node/sum_order.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aggregators/blame.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// After which a piece is full. The last update beyond it has a config, of limits::kAdapterConfigBytesMax at most.
constexpr std::size_t kPieceBytes = limits::kMiB;

v1::RootNotice NoticeOf(std::uint64_t fetch, const PublishJob& job) {
  v1::RootNotice notice;
  v1::SumOrder& order = *notice.mutable_sum();
  order.set_fetch(fetch);
  order.set_federation(job.federation);
  order.set_round(job.version);
  order.set_combine(job.method.combine);
  return notice;
}

ReceiptRow ReceiptOf(const v1::SumOrder& order, const v1::SummedUpdate& update) {
  ReceiptRow receipt;
  receipt.federation = order.federation();
  receipt.round = order.round();
  receipt.client = update.client();
  receipt.sha256 = update.sha256();
  receipt.bytes = update.payload_bytes();
  receipt.examples = update.examples();
  receipt.adapter_config = order.adapter_configs(static_cast<int>(update.adapter_config()));
  return receipt;
}

}  // namespace

std::vector<v1::RootNotice> SumOrdersOf(std::uint64_t fetch, const PublishJob& job) {
  std::vector<v1::RootNotice> notices = {NoticeOf(fetch, job)};
  std::map<absl::string_view, std::uint32_t> configs;  // Most clients have the same.
  std::size_t bytes = 0;
  for (const Contribution& contribution : job.contributions) {
    if (bytes > kPieceBytes) {
      notices.back().mutable_sum()->set_more(true);
      notices.push_back(NoticeOf(fetch, job));
      notices.back().mutable_sum()->set_piece(static_cast<std::uint32_t>(notices.size() - 1));
      bytes = 0;
    }
    v1::SumOrder& order = *notices.back().mutable_sum();
    const ReceiptRow& receipt = contribution.receipt;
    const auto [config, added] = configs.emplace(receipt.adapter_config, configs.size());
    if (added) order.add_adapter_configs(receipt.adapter_config);
    v1::SummedUpdate& update = *order.add_updates();
    update.set_client(receipt.client);
    update.set_sha256(receipt.sha256);
    update.set_payload_bytes(receipt.bytes);
    update.set_examples(receipt.examples);
    update.set_adapter_config(config->second);
    bytes += update.ByteSizeLong() + (added ? receipt.adapter_config.size() : 0);
  }
  return notices;
}

bool JoinSumOrder(const v1::SumOrder& piece, v1::SumOrder& order) {
  if (piece.piece() == 0) order.Clear();  // Of another order, the stream of which broke.
  order.MergeFrom(piece);
  return !piece.more();
}

absl::StatusOr<PublishJob> JobOf(const v1::SumOrder& order, const std::string& node, Store& store) {
  PublishJob job;
  job.federation = order.federation();
  job.version = order.round();
  job.method.combine = order.combine();
  for (const v1::SummedUpdate& update : order.updates()) {
    if (update.adapter_config() >= static_cast<std::uint32_t>(order.adapter_configs_size())) {
      return absl::DataLossError("no order: the config of an update is missing");
    }
    auto blob = store.Find(order.federation(), UpdateName(update.client(), update.sha256()));
    if (absl::IsNotFound(blob.status())) {
      return BlameClient(absl::InvalidArgumentError(absl::StrCat("node ", node, " has lost the update of client \"",
                                                                 update.client(), "\": ", blob.status().message())),
                         update.client());
    }
    CAIRN_RETURN_IF_ERROR(blob.status());
    job.contributions.push_back({ReceiptOf(order, update), *std::move(blob)});
  }
  return job;
}

}  // namespace cairn
