#include "server/node/nodes_sharder.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"
#include "server/node/meeting.h"
#include "server/node/shard_order.h"
#include "server/root/published_files.h"
#include "server/tree/shard_split.h"

namespace cairn {
namespace {

constexpr int kAttemptsMax = 3;           // Each with the nodes that are there.
constexpr std::size_t kNodesAtOnce = 64;  // Of a round. A thread for each, which waits for it.

// Where each update can be read; "": with the root.
absl::StatusOr<std::map<std::string, std::string>> AddressesFor(const PublishJob& job,
                                                                const std::vector<v1::AttendRequest>& nodes) {
  std::map<std::string, std::string> there;
  for (const v1::AttendRequest& node : nodes) there[node.node()] = node.peer();
  std::map<std::string, std::string> addresses;
  for (const Contribution& contribution : job.contributions) {
    if (contribution.payload != nullptr) {
      addresses[""] = "";
      continue;
    }
    const std::string& node = contribution.receipt.node;
    const auto found = there.find(node);
    if (found == there.end()) {
      return absl::UnimplementedError(absl::StrCat("node ", node,
                                                   " has updates that no other node can read: it is "
                                                   "away, or has no peer_listen"));
    }
    addresses[node] = found->second;
  }
  return addresses;
}

// What says most of why a round came to nothing: one that gave up because another did says little.
absl::Status WorstOf(const std::vector<absl::StatusOr<std::vector<ShardPart>>>& made) {
  absl::Status worst;
  for (const auto& parts : made) {
    if (absl::IsInvalidArgument(parts.status())) return parts.status();
    if (!parts.ok() && (worst.ok() || absl::IsUnavailable(worst))) worst = parts.status();
  }
  return worst;
}

}  // namespace

NodesSharder::Parts NodesSharder::CombineWith(const std::vector<v1::AttendRequest>& nodes, const PublishJob& job) {
  CAIRN_ASSIGN_OR_RETURN(const auto addresses, AddressesFor(job, nodes));
  std::vector<double> speeds;
  for (const v1::AttendRequest& node : nodes) speeds.push_back(std::max<std::uint32_t>(1, node.workers()));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<tree::ModuleShare> shares, tree::ShareModules(job, speeds));
  const auto meeting = std::make_shared<Meeting>(nodes.size());  // A call may be on its way when all have ended.
  std::vector<Parts> made(nodes.size());
  const auto combine = [&](std::size_t i) {
    const auto orders = [&](std::uint64_t fetch) { return ShardOrdersOf(fetch, job, addresses, shares[i]); };
    made[i] = nodes_->Combine(nodes[i].node(), job, orders, [meeting, i](bool greatest, auto values, auto answer) {
      meeting->Reduce(i, greatest, std::move(values), std::move(answer));
    });
    if (made[i].ok()) return;
    meeting->Break(
        absl::UnavailableError(absl::StrCat("node ", nodes[i].node(), " gave up: ", made[i].status().message())));
  };
  {
    WorkerPool pool(static_cast<int>(nodes.size()));
    for (std::size_t i = 0; i < nodes.size(); ++i) pool.Run([&combine, i] { combine(i); });
  }
  meeting->Break(absl::AbortedError("the round is over"));
  CAIRN_RETURN_IF_ERROR(WorstOf(made));
  std::vector<ShardPart> parts;
  for (Parts& own : made) std::move(own->begin(), own->end(), std::back_inserter(parts));
  return parts;
}

NodesSharder::Parts NodesSharder::Combine(const PublishJob& job, std::shared_ptr<const Shard> share) {
  if (!AtNodes(job)) {
    if (local_ != nullptr) return local_->Combine(job, std::move(share));
    return absl::UnimplementedError("there is nobody else to combine updates");
  }
  absl::Status last;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    std::vector<v1::AttendRequest> nodes = nodes_->attending();
    std::erase_if(nodes, [](const v1::AttendRequest& node) { return node.peer().empty(); });
    if (nodes.size() > kNodesAtOnce) nodes.resize(kNodesAtOnce);
    Parts parts = CombineWith(nodes, job);
    if (parts.ok()) {
      spdlog::info("{}: version {}: combined by {} nodes, each some of the modules", job.federation, job.version,
                   nodes.size());
      return parts;
    }
    RemoveShardFiles(job.data_dir, job.federation);
    last = parts.status();
    if (!absl::IsUnavailable(last)) return last;
    spdlog::warn("{}: version {}: {}; once more with the nodes that are there", job.federation, job.version,
                 std::string(last.message()));
  }
  return last;
}

}  // namespace cairn
