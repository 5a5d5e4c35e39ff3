// What the root wants of the node.
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/node/delivery.h"
#include "server/node/remote_root.h"
#include "server/node/shard_order.h"
#include "server/node/sum_parcel.h"
#include "server/node/update_list.h"

namespace cairn {

void RemoteRoot::OnNotice(const v1::RootNotice& notice) {
  if (notice.has_welcome()) {
    const auto& names = notice.welcome().federations();
    {
      std::lock_guard lock(mutex_);
      federations_ = {names.begin(), names.end()};
    }
    for (const std::string& federation : names) Tidy(federation);
  } else if (notice.has_fetch()) {
    Work(deliverers_, [this, order = notice.fetch()] { BringUpdate(order); });
  } else if (notice.has_sum()) {
    OnSumOrder(notice.sum());
  } else if (notice.has_shard()) {
    OnShardOrder(notice.shard());
  } else if (!notice.keep().empty()) {
    Tidy(notice.keep());
  }
}

// One that hangs, in a disk that does not answer, holds its thread for good, and the root would wait for every update
// that it asks for when all of them do: it is to do without this node.
void RemoteRoot::BringUpdate(const v1::FetchOrder& order) {
  const StreamWatch::Id watched = deliveries_.Add([this, name = order.name()] {
    attendance_->GiveUp(absl::UnavailableError(
        absl::StrCat("it hangs: nothing of ", name, " could be read for ", absl::FormatDuration(options_.stuck))));
  });
  const absl::Status delivered =
      Deliver(connection_, options_.node, order, *store_, [this, watched] { deliveries_.Touch(watched); });
  deliveries_.Remove(watched);
  if (!delivered.ok()) spdlog::warn("{}: bringing {}: {}", order.federation(), order.name(), delivered.ToString());
}

void RemoteRoot::OnSumOrder(const v1::UpdateList& piece) {
  if (!JoinPiece(piece, sum_order_)) return;
  const auto order = std::make_shared<const v1::UpdateList>(std::exchange(sum_order_, {}));
  Bring(order->federation(), order->round(), order->fetch(), [this, order](const auto& errand) -> Made {
    CAIRN_ASSIGN_OR_RETURN(auto total, sums_.Sum(*order, errand));
    return std::make_shared<const SumParcel>(std::move(total));
  });
}

void RemoteRoot::OnShardOrder(const v1::ShardOrder& piece) {
  if (!JoinShardOrder(piece, shard_order_)) return;
  const auto order = std::make_shared<const v1::ShardOrder>(std::exchange(shard_order_, {}));
  const v1::UpdateList& updates = order->updates();
  Bring(updates.federation(), updates.round(), updates.fetch(),
        [this, order](const auto& errand) { return shards_.Combine(*order, errand); });
}

void RemoteRoot::Bring(const std::string& federation, std::uint64_t round, std::uint64_t fetch, MakeParcel make) {
  Work(deliverers_, [this, federation, round, fetch, make = std::move(make)] {
    const absl::Status delivered = DeliverMade(connection_, options_.node, fetch, make);
    if (!delivered.ok()) {
      spdlog::warn("{}: bringing what round {} needs: {}", federation, round, delivered.ToString());
    }
  });
}

void RemoteRoot::Tidy(const std::string& federation) {
  Work(workers_, [this, federation] { retention_.Tidy(federation); });
}

// Of what the root has receipts for: it is gone with the memory or the disk that it was in.
void RemoteRoot::ReportLost(const std::string& federation, const v1::KeepReply& kept) {
  v1::LostUpdates lost;
  for (const std::string& name : kept.names()) {
    if (absl::IsNotFound(store_->Find(federation, name).status())) lost.add_names(name);
  }
  if (lost.names().empty()) return;
  spdlog::error("{}: {} acknowledged updates are not here any more: the root is told", federation, lost.names_size());
  lost.set_node(options_.node);
  lost.set_federation(federation);
  lost.set_process(process_);
  lost.set_round(kept.round());
  const absl::Status told = connection_.CallNow(&v1::Node::Stub::ReportLost, lost).status();
  // Told again with the next reminder, or the next connection.
  if (!told.ok()) spdlog::warn("{}: telling the root what is lost: {}", federation, told.ToString());
}

absl::StatusOr<Kept> RemoteRoot::AskKept(const std::string& federation) {
  v1::KeepRequest request;
  request.set_node(options_.node);
  request.set_federation(federation);
  request.set_process(process_);
  CAIRN_ASSIGN_OR_RETURN(const v1::KeepReply reply, connection_.CallNow(&v1::Node::Stub::Keep, request));
  if (reply.round() > 0) sums_.Forget(federation, reply.round() - 1);
  ReportLost(federation, reply);
  return Kept{reply.round(), {reply.names().begin(), reply.names().end()}};
}

}  // namespace cairn
