#include "server/root/gather.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"

namespace cairn {
namespace {

constexpr std::size_t kFetchesAtOnce = 8;

constexpr char kNoRoomPayload[] = "cairn.no_room";

absl::Status FetchOne(const ReceiptRow& receipt, Nodes& nodes) {
  const absl::Status fetched = nodes.Fetch(receipt.node, KeyOf(receipt));
  if (absl::IsNotFound(fetched) || absl::IsDataLoss(fetched)) return LostUpdate(receipt.node, receipt.client, fetched);
  return fetched;
}

absl::Status FetchAll(const std::vector<const ReceiptRow*>& missing, Nodes& nodes) {
  std::atomic<bool> stopped{false};  // By an error of a node, not of an update: what else is lost is to be known, too.
  std::vector<absl::Status> found(missing.size());
  {
    WorkerPool pool(static_cast<int>(std::min(kFetchesAtOnce, missing.size())));
    for (std::size_t i = 0; i < missing.size(); ++i) {
      pool.Run([&, i] {
        if (stopped) return;
        found[i] = FetchOne(*missing[i], nodes);
        if (!found[i].ok() && !BlamedClient(found[i])) stopped = true;
      });
    }
  }
  return BlameTogether(found);
}

absl::Status FindAll(PublishJob& job, Store& store) {
  for (Contribution& contribution : job.contributions) {
    const ReceiptRow& receipt = contribution.receipt;
    CAIRN_ASSIGN_OR_RETURN(contribution.payload, store.Find(receipt.federation, NameOf(receipt)));
  }
  return absl::OkStatus();
}

}  // namespace

std::string NameOf(const ReceiptRow& receipt) { return UpdateName(receipt.client, receipt.sha256); }

UploadKey KeyOf(const ReceiptRow& receipt) {
  return {receipt.federation, receipt.round, receipt.client, receipt.sha256, receipt.bytes};
}

std::string WhatIsLost(const std::string& node, const std::string& client, const absl::Status& why) {
  return absl::StrCat(node.empty() ? "the root" : absl::StrCat("node ", node), " has lost the update of client \"",
                      client, "\": ", why.message());
}

absl::Status LostUpdate(const std::string& node, const std::string& client, const absl::Status& why) {
  return BlameClient(absl::InvalidArgumentError(WhatIsLost(node, client, why)), client);
}

absl::Status NoRoom(absl::Status status) {
  status.SetPayload(kNoRoomPayload, absl::Cord());
  return status;
}

bool IsNoRoom(const absl::Status& status) { return status.GetPayload(kNoRoomPayload).has_value(); }

absl::Status Gather(PublishJob& job, Store* store, Nodes* nodes) {
  std::vector<const ReceiptRow*> missing;
  for (const Contribution& contribution : job.contributions) {
    if (contribution.payload == nullptr) missing.push_back(&contribution.receipt);
  }
  if (missing.empty()) return absl::OkStatus();
  if (nodes == nullptr) {
    return absl::UnavailableError(absl::StrCat("node ", missing.front()->node,
                                               " has an update, and this server takes no nodes: set node_listen"));
  }
  // What is held cannot leave memory for what comes, and all of it may be more than there is room for.
  for (Contribution& contribution : job.contributions) contribution.payload = nullptr;
  CAIRN_RETURN_IF_ERROR(FetchAll(missing, *nodes));
  return FindAll(job, *store);
}

}  // namespace cairn
