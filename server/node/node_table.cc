#include "server/node/node_table.h"

#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/node/incoming_sum.h"
#include "server/node/incoming_update.h"
#include "server/node/sum_order.h"

namespace cairn {
namespace {

absl::Status Away(const std::string& node) { return absl::UnavailableError(absl::StrCat("node ", node, " is away")); }

v1::RootNotice FetchOrderOf(std::uint64_t fetch, const UploadKey& key, std::uint64_t offset) {
  v1::RootNotice notice;
  v1::FetchOrder& order = *notice.mutable_fetch();
  order.set_fetch(fetch);
  order.set_federation(key.federation);
  order.set_name(UpdateName(key.client, key.sha256));
  order.set_offset(offset);
  return notice;
}

}  // namespace

absl::StatusOr<NodeTable::Session> NodeTable::Arrive(const std::string& node, const std::string& directory, bool sums,
                                                     Notify notify) {
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(node);
  if (there != attending_.end() && there->second.directory != directory) {
    return absl::AlreadyExistsError(
        absl::StrCat("a node \"", node, "\" with another data directory attends: give this one another name"));
  }
  attending_[node] = {next_, directory, sums, std::move(notify)};
  return next_++;
}

bool NodeTable::Leave(Session session) {
  std::lock_guard lock(mutex_);
  for (auto entry = attending_.begin(); entry != attending_.end(); ++entry) {
    if (entry->second.session != session) continue;
    for (const auto& [fetch, incoming] : incoming_) {
      if (incoming->node() == entry->first) incoming->End(Away(entry->first));
    }
    attending_.erase(entry);
    return true;
  }
  return false;
}

absl::StatusOr<std::shared_ptr<Incoming>> NodeTable::Take(const std::string& node, std::uint64_t fetch) {
  std::lock_guard lock(mutex_);
  const auto found = incoming_.find(fetch);
  if (found == incoming_.end() || found->second->node() != node || !found->second->Take()) {
    return absl::NotFoundError(absl::StrCat("nobody waits for fetch ", fetch, " of node ", node));
  }
  return found->second;
}

absl::StatusOr<std::unique_ptr<Upload>> NodeTable::Begin(const UploadKey& key) {
  std::promise<absl::StatusOr<std::unique_ptr<Upload>>> begun;
  store_->Begin(key, &opener_, [&](auto upload) { begun.set_value(std::move(upload)); });
  return begun.get_future().get();
}

absl::StatusOr<std::uint64_t> NodeTable::NewFetch(const std::string& node, bool sum) {
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(node);
  if (there == attending_.end()) return Away(node);
  if (sum && !there->second.sums) return absl::UnimplementedError("it is of a release that does not add up");
  return next_++;
}

absl::Status NodeTable::Await(std::uint64_t fetch, const std::shared_ptr<Incoming>& incoming,
                              const std::vector<v1::RootNotice>& notices) {
  {
    std::lock_guard lock(mutex_);
    const auto there = attending_.find(incoming->node());
    if (there == attending_.end()) return Away(incoming->node());
    incoming_[fetch] = incoming;
    for (const v1::RootNotice& notice : notices) there->second.notify(notice);
  }
  const absl::Status status = incoming->Await();
  std::lock_guard lock(mutex_);
  incoming_.erase(fetch);
  return status;
}

absl::Status NodeTable::Fetch(const std::string& node, const UploadKey& key) {
  bool resumed = false;
  absl::Status status = FetchOnce(node, key, &resumed);
  // What an attempt left was not synced: it may be what is wrong, and is gone now.
  if (absl::IsDataLoss(status) && resumed) status = FetchOnce(node, key, &resumed);
  return status;
}

absl::Status NodeTable::FetchOnce(const std::string& node, const UploadKey& key, bool* resumed) {
  if (store_->Find(key.federation, UpdateName(key.client, key.sha256)).ok()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t fetch, NewFetch(node, /*sum=*/false));
  CAIRN_ASSIGN_OR_RETURN(auto upload, Begin(key));
  const auto incoming = std::make_shared<IncomingUpdate>(key, node, std::move(upload), verify_);
  *resumed = incoming->received() > 0;
  CAIRN_RETURN_IF_ERROR(incoming->ContinueDigest());
  CAIRN_RETURN_IF_ERROR(Await(fetch, incoming, {FetchOrderOf(fetch, key, incoming->received())}));
  return incoming->Seal(*store_);
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeTable::Sum(const std::string& node, const PublishJob& job) {
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t fetch, NewFetch(node, /*sum=*/true));
  const auto incoming = std::make_shared<IncomingSum>(node, job);
  CAIRN_RETURN_IF_ERROR(Await(fetch, incoming, SumOrdersOf(fetch, job)));
  return incoming->Finish();
}

void NodeTable::Remind(const std::string& federation) {
  v1::RootNotice notice;
  notice.set_keep(federation);
  std::lock_guard lock(mutex_);
  for (const auto& [node, attending] : attending_) attending.notify(notice);
}

}  // namespace cairn
