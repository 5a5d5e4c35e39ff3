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
  std::lock_guard lock(mutex_);
  absl::Status status = allowed;
  status.Update(CheckId("node", node_));
  if (!status.ok()) {
    End(status);
    return;
  }
  if (!request.root().empty() && request.root() != coordinator_->identity()) {
    EndWithIdentity();
    return;
  }
  arriving_ = true;
  // First, so that one that is refused later is not taken for the node meanwhile.
  coordinator_->CheckNode(node_, request.directory(),
                          [this, request](const absl::Status& checked) { Arrive(request, checked); });
}

// On the coordinator's thread, as Welcome, which comes after this has ended.
void AttendReactor::Arrive(const v1::AttendRequest& request, const absl::Status& checked) {
  // The table calls back with its own lock held.
  const auto arrived = [&] {
    coordinator_->NodeArrived(node_, request.directory(), OfferOf(request),
                              [this](const auto& federations) { Welcome(federations); });
  };
  const auto session = checked.ok() ? table_->Arrive(request, [this](const auto& notice) { Send(notice); }, arrived)
                                    : absl::StatusOr<NodeTable::Session>(checked);
  std::lock_guard lock(mutex_);
  if (!session.ok()) {
    arriving_ = false;
    End(session.status());
    return;
  }
  session_ = *session;
}

void AttendReactor::Welcome(const absl::StatusOr<std::vector<std::string>>& federations) {
  if (federations.ok()) {
    spdlog::info("node {} attends", node_);
    v1::RootNotice notice;
    notice.mutable_welcome()->set_root(coordinator_->identity());
    for (const std::string& federation : *federations) notice.mutable_welcome()->add_federations(federation);
    Send(notice);
  }
  std::lock_guard lock(mutex_);
  arriving_ = false;
  welcome_ = federations.ok();
  if (!welcome_) End(federations.status());
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

// The node says what is wrong, and to which directory: it knows both.
void AttendReactor::EndWithIdentity() {
  finished_ = true;
  v1::RootNotice& notice = queue_.emplace_back();
  notice.mutable_welcome()->set_root(coordinator_->identity());
  StartWriteAndFinish(&notice, {}, ToGrpc(absl::FailedPreconditionError("its data directory is of another root")));
}

void AttendReactor::OnDone() {
  std::optional<NodeTable::Session> session;
  bool welcome = false;
  {
    std::lock_guard lock(mutex_);
    session = session_;
    welcome = welcome_;
  }
  const auto left = [this] { coordinator_->NodeLeft(node_); };
  if (session && table_->Leave(*session, left) && welcome) spdlog::warn("node {} is away", node_);
  delete this;
}

}  // namespace cairn
