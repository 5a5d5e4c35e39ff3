#include "server/node/nodes_sharder.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "aggregators/blame.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"
#include "server/node/meeting.h"
#include "server/node/shard_order.h"
#include "server/root/published_files.h"
#include "server/tree/shard_split.h"

namespace cairn {
namespace {

constexpr absl::Duration kPause = absl::Seconds(1);  // Between attempts: who is lost is noticed meanwhile.
constexpr int kAttemptsMax = 3;                      // Each with the nodes that are there.
constexpr std::size_t kNodesAtOnce = 64;             // Of a round. A thread for each, which waits for it.

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
    if (found == there.end()) return absl::UnavailableError(absl::StrCat("node ", node, " is away"));
    if (found->second.empty()) {
      return absl::UnimplementedError(
          absl::StrCat("node ", node, " has updates that no other node can read: set peer_listen there"));
    }
    addresses[node] = found->second;
  }
  return addresses;
}

// Those that can be read from, first of all those that have updates; not too many.
std::vector<v1::AttendRequest> MembersOf(const PublishJob& job, std::vector<v1::AttendRequest> nodes,
                                         const std::map<std::string, std::string>& addresses) {
  std::erase_if(nodes, [](const v1::AttendRequest& node) { return node.peer().empty(); });
  std::stable_partition(nodes.begin(), nodes.end(),
                        [&](const v1::AttendRequest& node) { return addresses.count(node.node()) > 0; });
  if (nodes.size() <= kNodesAtOnce) return nodes;
  spdlog::info("{}: version {}: {} nodes can combine modules; {} of them do, as many as share one round",
               job.federation, job.version, nodes.size(), kNodesAtOnce);
  nodes.resize(kNodesAtOnce);
  return nodes;
}

template <typename Work>
auto Caught(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& error) {
    return absl::ResourceExhaustedError(absl::StrCat("asking a node to combine modules: ", error.what()));
  }
}

// What says most of why a round came to nothing: one that gave up because another did says little.
absl::Status WorstOf(const std::vector<absl::StatusOr<std::vector<ShardPart>>>& made) {
  absl::Status worst;
  std::vector<absl::Status> refused;
  for (const auto& parts : made) {
    if (absl::IsInvalidArgument(parts.status())) refused.push_back(parts.status());
    if (!parts.ok() && (worst.ok() || absl::IsUnavailable(worst))) worst = parts.status();
  }
  return refused.empty() ? worst : BlameTogether(refused);
}

}  // namespace

NodesSharder::Parts NodesSharder::CombineWith(const std::vector<v1::AttendRequest>& nodes,
                                              const std::map<std::string, std::string>& addresses,
                                              const PublishJob& job) {
  std::vector<double> speeds;
  for (const v1::AttendRequest& node : nodes) speeds.push_back(std::max<std::uint32_t>(1, node.workers()));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<tree::ModuleShare> shares, tree::ShareModules(job, speeds));
  const auto meeting = std::make_shared<Meeting>(nodes.size());  // A call may be on its way when all have ended.
  std::vector<Parts> made(nodes.size());
  const auto combine = [&](std::size_t i) {
    const auto orders = [&](std::uint64_t fetch) { return ShardOrdersOf(fetch, job, addresses, shares[i]); };
    made[i] = Caught([&] {
      return nodes_->Combine(nodes[i].node(), job, orders, [meeting, i](bool greatest, auto values, auto answer) {
        meeting->Reduce(i, greatest, std::move(values), std::move(answer));
      });
    });
    // One that is done calls no more: nobody must wait for it, whatever the others think.
    const std::string how = made[i].ok() ? "is done" : absl::StrCat("gave up: ", made[i].status().message());
    meeting->Break(absl::UnavailableError(absl::StrCat("node ", nodes[i].node(), " ", how)));
  };
  {
    WorkerPool pool(static_cast<int>(nodes.size()));
    for (std::size_t i = 0; i < nodes.size(); ++i) pool.Run([&combine, i] { combine(i); });
  }
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
    if (attempt > 0) absl::SleepFor(kPause);
    const std::vector<v1::AttendRequest> attending = nodes_->attending();
    CAIRN_ASSIGN_OR_RETURN(const auto addresses, AddressesFor(job, attending));
    const std::vector<v1::AttendRequest> nodes = MembersOf(job, attending, addresses);
    Parts parts = CombineWith(nodes, addresses, job);
    if (parts.ok()) {
      spdlog::info("{}: version {}: combined by {}, each some of the modules", job.federation, job.version,
                   nodes.size() == 1 ? "one node" : absl::StrCat(nodes.size(), " nodes"));
      return parts;
    }
    RemoveShardFiles(job.data_dir, job.federation);
    last = parts.status();
    if (!absl::IsUnavailable(last)) return last;
    spdlog::warn("{}: version {}: nodes did not combine it: {}", job.federation, job.version,
                 std::string(last.message()));
  }
  // All of them attend, and yet: perhaps they do not reach each other.
  return absl::AbortedError(last.message());
}

}  // namespace cairn
