#include "server/node/update_list.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/root/gather.h"

namespace cairn {
namespace {

// After which a piece is full. The last update beyond it has a config, of limits::kAdapterConfigBytesMax at most.
constexpr std::size_t kPieceBytes = limits::kMiB;

v1::UpdateList PieceOf(std::uint64_t fetch, const PublishJob& job, std::size_t piece) {
  v1::UpdateList list;
  list.set_fetch(fetch);
  list.set_federation(job.federation);
  list.set_round(job.version);
  list.set_combine(job.method.combine);
  list.set_piece(static_cast<std::uint32_t>(piece));
  return list;
}

v1::ListedUpdate Listed(const Contribution& contribution, const std::map<std::string, std::uint32_t>& places) {
  const ReceiptRow& receipt = contribution.receipt;
  v1::ListedUpdate update;
  update.set_client(receipt.client);
  update.set_sha256(receipt.sha256);
  update.set_payload_bytes(receipt.bytes);
  update.set_examples(receipt.examples);
  if (!places.empty()) update.set_place(places.at(contribution.payload == nullptr ? receipt.node : ""));
  return update;
}

ReceiptRow ReceiptOf(const v1::UpdateList& list, const v1::ListedUpdate& update,
                     const std::vector<SharedText>& configs) {
  ReceiptRow receipt;
  receipt.federation = list.federation();
  receipt.round = list.round();
  receipt.client = update.client();
  receipt.sha256 = update.sha256();
  receipt.bytes = update.payload_bytes();
  receipt.examples = update.examples();
  receipt.adapter_config = configs[update.adapter_config()];
  return receipt;
}

}  // namespace

std::vector<v1::UpdateList> ListUpdates(std::uint64_t fetch, const PublishJob& job,
                                        const std::map<std::string, std::uint32_t>& places) {
  std::vector<v1::UpdateList> pieces = {PieceOf(fetch, job, 0)};
  std::map<absl::string_view, std::uint32_t> configs;  // Most clients have the same.
  std::size_t bytes = 0;
  for (const Contribution& contribution : job.contributions) {
    if (bytes > kPieceBytes) {
      pieces.back().set_more(true);
      pieces.push_back(PieceOf(fetch, job, pieces.size()));
      bytes = 0;
    }
    v1::UpdateList& list = pieces.back();
    const std::string& text = contribution.receipt.adapter_config;
    const auto [config, added] = configs.emplace(text, configs.size());
    if (added) list.add_adapter_configs(text);
    v1::ListedUpdate& update = *list.add_updates() = Listed(contribution, places);
    update.set_adapter_config(config->second);
    bytes += update.ByteSizeLong() + (added ? text.size() : 0);
  }
  return pieces;
}

bool JoinPiece(const v1::UpdateList& piece, v1::UpdateList& list) {
  if (piece.piece() == 0) list.Clear();  // Of another order, the stream of which broke.
  list.MergeFrom(piece);
  return !piece.more();
}

absl::StatusOr<PublishJob> JobOf(const v1::UpdateList& list) {
  PublishJob job;
  job.federation = list.federation();
  job.version = list.round();
  job.method.combine = list.combine();
  const std::vector<SharedText> configs(list.adapter_configs().begin(), list.adapter_configs().end());
  job.contributions.reserve(static_cast<std::size_t>(list.updates_size()));
  for (const v1::ListedUpdate& update : list.updates()) {
    if (update.adapter_config() >= configs.size()) {
      return absl::DataLossError("no order: the config of an update is missing");
    }
    job.contributions.push_back({ReceiptOf(list, update, configs), nullptr});
  }
  return job;
}

absl::Status FindPayload(const std::string& node, Store& store, Contribution& contribution) {
  const ReceiptRow& receipt = contribution.receipt;
  auto blob = store.Find(receipt.federation, NameOf(receipt));
  if (absl::IsNotFound(blob.status())) return LostUpdate(node, receipt.client, blob.status());
  CAIRN_RETURN_IF_ERROR(blob.status());
  contribution.payload = *std::move(blob);
  return absl::OkStatus();
}

}  // namespace cairn
