#include "server/node/shard_order.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/node/update_list.h"
#include "server/tree/shard_messages.h"

namespace cairn {
namespace {

constexpr std::size_t kTaskBytesMax = limits::kMessageBytesMax - 64 * limits::kKiB;

}  // namespace

absl::StatusOr<std::vector<v1::RootNotice>> ShardOrdersOf(std::uint64_t fetch, const PublishJob& job,
                                                          const std::map<std::string, std::string>& addresses,
                                                          const tree::ModuleShare& share) {
  std::map<std::string, std::uint32_t> places;
  for (const auto& [node, address] : addresses) places.emplace(node, places.size());
  std::vector<v1::RootNotice> notices;
  for (v1::UpdateList& piece : ListUpdates(fetch, job, places)) {
    *notices.emplace_back().mutable_shard()->mutable_updates() = std::move(piece);
  }
  v1::ShardOrder& last = *notices.emplace_back().mutable_shard();  // The rest, by itself.
  for (const auto& [node, address] : addresses) {                  // In the order of their numbers.
    v1::UpdateSource& place = *last.add_places();
    place.set_node(node);
    place.set_address(address);
  }
  v1::ShardTask& task = *last.mutable_task() = tree::DescribeJob(job);
  for (const std::string& module : share.modules) task.add_modules(module);
  for (const std::string& tensor : share.tensors) task.add_tensors(tensor);
  if (last.ByteSizeLong() <= kTaskBytesMax) return notices;
  return absl::ResourceExhaustedError(absl::StrCat("what a node is to combine takes ", last.ByteSizeLong(),
                                                   " bytes, and ", kTaskBytesMax, " fit into a message"));
}

bool JoinShardOrder(const v1::ShardOrder& piece, v1::ShardOrder& order) {
  if (!piece.has_task()) {
    JoinPiece(piece.updates(), *order.mutable_updates());
    return false;
  }
  *order.mutable_places() = piece.places();
  *order.mutable_task() = piece.task();
  return true;
}

absl::StatusOr<OrderedShard> OrderedBy(const v1::ShardOrder& order) {
  OrderedShard ordered;
  CAIRN_ASSIGN_OR_RETURN(ordered.job, tree::JobOf(order.task()));
  CAIRN_ASSIGN_OR_RETURN(PublishJob listed, JobOf(order.updates()));
  ordered.job.contributions = std::move(listed.contributions);
  for (int i = 0; i < order.updates().updates_size(); ++i) {
    const std::uint32_t place = order.updates().updates(i).place();
    if (place >= static_cast<std::uint32_t>(order.places_size())) {
      return absl::DataLossError("no order: it does not say where an update is");
    }
    ordered.job.contributions[i].receipt.node = order.places(static_cast<int>(place)).node();
  }
  for (const v1::UpdateSource& place : order.places()) ordered.addresses[place.node()] = place.address();
  ordered.share.modules = {order.task().modules().begin(), order.task().modules().end()};
  ordered.share.tensors = {order.task().tensors().begin(), order.task().tensors().end()};
  return ordered;
}

}  // namespace cairn
