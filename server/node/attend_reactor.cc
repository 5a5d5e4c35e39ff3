#include "server/node/attend_reactor.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/ids.h"
#include "server/gateway/convert.h"

namespace cairn {
namespace {

ClientsOffer OfferOf(const v1::AttendRequest& request) {
  const v1::ClientsOffer& clients = request.clients();
  return {clients.address(), clients.zone(),   clients.capacity(), clients.fold_seconds_per_byte(),
          clients.cores(),   request.workers()};
}

}  // namespace

AttendReactor::AttendReactor(Coordinator* coordinator, NodeTable* table, const v1::AttendRequest& request,
                             const absl::Status& allowed)
    : coordinator_(coordinator), table_(table), node_(request.node()) {
  std::unique_lock lock(mutex_);
  absl::Status status = allowed;
  status.Update(CheckId("node", node_));
  if (!status.ok()) {
    End(status);
    return;
  }
  arriving_ = true;
  lock.unlock();  // The table calls back with its own lock held.
  auto session = table_->Arrive(
      request, [this](const v1::RootNotice& notice) { Send(notice); },
      [&] {
        coordinator_->NodeArrived(node_, OfferOf(request), [this](const auto& federations) { Welcome(federations); });
      });
  lock.lock();
  if (!session.ok()) {
    arriving_ = false;
    End(session.status());
    return;
  }
  session_ = *session;
  spdlog::info("node {} attends", node_);
}

void AttendReactor::Welcome(const absl::StatusOr<std::vector<std::string>>& federations) {
  if (federations.ok()) {
    v1::RootNotice notice;
    for (const std::string& federation : *federations) notice.mutable_welcome()->add_federations(federation);
    Send(notice);
  }
  std::lock_guard lock(mutex_);
  arriving_ = false;
  if (!federations.ok()) End(federations.status());
  if (cancelled_ && !writing_) End(absl::CancelledError("the node went away"));
}

void AttendReactor::Send(const v1::RootNotice& notice) {
  std::lock_guard lock(mutex_);
  if (finished_ || cancelled_) return;
  queue_.push_back(notice);
  if (std::exchange(writing_, true)) return;
  StartWrite(&queue_.front());
}

void AttendReactor::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  queue_.pop_front();
  writing_ = ok && !cancelled_ && !queue_.empty();
  if (writing_) return StartWrite(&queue_.front());
  if (ok && !cancelled_) return;
  cancelled_ = true;
  if (!arriving_) End(absl::CancelledError("the node went away"));
}

void AttendReactor::OnCancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (!writing_ && !arriving_) End(absl::CancelledError("the node went away"));
}

void AttendReactor::End(const absl::Status& status) {
  if (!std::exchange(finished_, true)) Finish(ToGrpc(status));
}

void AttendReactor::OnDone() {
  std::optional<NodeTable::Session> session;
  {
    std::lock_guard lock(mutex_);
    session = session_;
  }
  const auto left = [this] { coordinator_->NodeLeft(node_); };
  if (session && table_->Leave(*session, left)) spdlog::warn("node {} is away", node_);
  delete this;
}

}  // namespace cairn
