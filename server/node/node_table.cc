#include "server/node/node_table.h"

#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status Away(const std::string& node) { return absl::UnavailableError(absl::StrCat("node ", node, " is away")); }

}  // namespace

absl::StatusOr<NodeTable::Session> NodeTable::Arrive(const std::string& node, const std::string& directory,
                                                     Notify notify) {
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(node);
  if (there != attending_.end() && there->second.directory != directory) {
    return absl::AlreadyExistsError(
        absl::StrCat("a node \"", node, "\" with another data directory attends: give this one another name"));
  }
  attending_[node] = {next_, directory, std::move(notify)};
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

absl::StatusOr<std::shared_ptr<IncomingUpdate>> NodeTable::Take(const std::string& node, std::uint64_t fetch) {
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

absl::Status NodeTable::Order(std::uint64_t fetch, const UploadKey& key,
                              const std::shared_ptr<IncomingUpdate>& incoming) {
  v1::RootNotice notice;
  v1::FetchOrder& order = *notice.mutable_fetch();
  order.set_fetch(fetch);
  order.set_federation(key.federation);
  order.set_name(UpdateName(key.client, key.sha256));
  order.set_offset(incoming->received());
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(incoming->node());
  if (there == attending_.end()) return Away(incoming->node());
  incoming_[fetch] = incoming;
  there->second.notify(notice);
  return absl::OkStatus();
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
  std::uint64_t fetch;
  {
    std::lock_guard lock(mutex_);
    if (attending_.count(node) == 0) return Away(node);
    fetch = next_++;
  }
  CAIRN_ASSIGN_OR_RETURN(auto upload, Begin(key));
  const auto incoming = std::make_shared<IncomingUpdate>(key, node, std::move(upload), verify_);
  *resumed = incoming->received() > 0;
  CAIRN_RETURN_IF_ERROR(incoming->ContinueDigest());
  absl::Status status = Order(fetch, key, incoming);
  if (status.ok()) status = incoming->Await();
  {
    std::lock_guard lock(mutex_);
    incoming_.erase(fetch);
  }
  return status.ok() ? incoming->Seal(*store_) : status;
}

void NodeTable::Remind(const std::string& federation) {
  v1::RootNotice notice;
  notice.set_keep(federation);
  std::lock_guard lock(mutex_);
  for (const auto& [node, attending] : attending_) attending.notify(notice);
}

}  // namespace cairn
