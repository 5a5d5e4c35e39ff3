#include "server/node/node_table.h"

#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/node/incoming_shard.h"
#include "server/node/incoming_sum.h"
#include "server/node/incoming_update.h"
#include "server/node/update_list.h"
#include "server/root/gather.h"

namespace cairn {
namespace {

absl::Status Away(const std::string& node) { return absl::UnavailableError(absl::StrCat("node ", node, " is away")); }

absl::Status NoRoomFor(const UploadKey& key) {
  return NoRoom(absl::ResourceExhaustedError(absl::StrCat("the root: no memory was free for the ", key.bytes,
                                                          " bytes of the update of client \"", key.client, "\"")));
}

v1::RootNotice FetchOrderOf(std::uint64_t fetch, const UploadKey& key, std::uint64_t offset) {
  v1::RootNotice notice;
  v1::FetchOrder& order = *notice.mutable_fetch();
  order.set_fetch(fetch);
  order.set_federation(key.federation);
  order.set_name(UpdateName(key.client, key.sha256));
  order.set_offset(offset);
  return notice;
}

absl::Status CheckSameProcess(const v1::AttendRequest& there, const v1::AttendRequest& comes) {
  if (there.directory() != comes.directory()) {
    return absl::AlreadyExistsError(
        absl::StrCat("a node \"", comes.node(), "\" with another data directory attends: give this one another name"));
  }
  if (there.process() == comes.process()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("another process attends as node \"", comes.node(),
                                               "\" with this data directory or a copy of it: end one of the two"));
}

}  // namespace

NodeTable::NodeTable(Store* store, bool verify, absl::Duration room_max)
    : store_(store), verify_(verify), room_max_(room_max), next_(std::random_device()()) {
  next_ = next_ << 31 | 1;  // Far from wrapping around.
}

absl::StatusOr<NodeTable::Session> NodeTable::Arrive(const v1::AttendRequest& request, Notify notify,
                                                     const Then& then) {
  const std::string& node = request.node();
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(node);
  if (there != attending_.end()) CAIRN_RETURN_IF_ERROR(CheckSameProcess(there->second.request, request));
  attending_[node] = {next_, request, std::move(notify)};
  then();
  return next_++;
}

bool NodeTable::Leave(Session session, const Then& then) {
  std::lock_guard lock(mutex_);
  for (auto entry = attending_.begin(); entry != attending_.end(); ++entry) {
    if (entry->second.session != session) continue;
    for (const auto& [fetch, incoming] : incoming_) {
      if (incoming->node() == entry->first) incoming->End(Away(entry->first));
    }
    attending_.erase(entry);
    then();
    return true;
  }
  return false;
}

absl::StatusOr<std::string> NodeTable::DirectoryOf(const std::string& node, std::uint64_t process) const {
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(node);
  if (there == attending_.end()) return absl::UnavailableError(absl::StrCat("node ", node, " does not attend"));
  if (there->second.request.process() == process) return there->second.request.directory();
  return absl::UnavailableError(absl::StrCat("another process attends as node ", node));
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
  std::optional<absl::StatusOr<std::unique_ptr<Upload>>> begun;  // Of mutex_.
  const Store::Ticket ticket = store_->Begin(key, &opener_, [&](auto upload) {
    std::lock_guard lock(mutex_);
    begun = std::move(upload);
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, absl::ToChronoMilliseconds(room_max_), [&] { return begun || stopped_; });
  if (!begun) {
    const bool stopped = stopped_;
    lock.unlock();
    if (store_->Cancel(ticket)) return stopped ? absl::CancelledError("the server is stopping") : NoRoomFor(key);
    lock.lock();
    changed_.wait(lock, [&] { return begun.has_value(); });  // It is about to.
  }
  return *std::move(begun);
}

void NodeTable::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

absl::StatusOr<std::uint64_t> NodeTable::NewFetch(const std::string& node, bool sum) {
  std::lock_guard lock(mutex_);
  const auto there = attending_.find(node);
  if (there == attending_.end()) return Away(node);
  if (sum && !there->second.request.sums()) return absl::UnimplementedError("it is of a release that does not add up");
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
  absl::StatusOr<std::unique_ptr<Upload>> upload = Begin(key);
  if (!upload.ok()) return OfTheRoot(upload.status());
  const auto incoming = std::make_shared<IncomingUpdate>(key, node, *std::move(upload), verify_);
  *resumed = incoming->received() > 0;
  CAIRN_RETURN_IF_ERROR(incoming->ContinueDigest());
  CAIRN_RETURN_IF_ERROR(Await(fetch, incoming, {FetchOrderOf(fetch, key, incoming->received())}));
  return incoming->Seal(*store_);
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeTable::Sum(const std::string& node, const PublishJob& job) {
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t fetch, NewFetch(node, /*sum=*/true));
  const auto incoming = std::make_shared<IncomingSum>(node, job);
  std::vector<v1::RootNotice> notices;
  for (v1::UpdateList& piece : ListUpdates(fetch, job)) *notices.emplace_back().mutable_sum() = std::move(piece);
  CAIRN_RETURN_IF_ERROR(Await(fetch, incoming, notices));
  return incoming->Finish();
}

std::vector<v1::AttendRequest> NodeTable::attending() const {
  std::vector<v1::AttendRequest> requests;
  std::lock_guard lock(mutex_);
  for (const auto& [node, attending] : attending_) requests.push_back(attending.request);
  return requests;
}

absl::StatusOr<std::vector<ShardPart>> NodeTable::Combine(const std::string& node, const PublishJob& job,
                                                          const MakeOrders& orders, Reduce reduce) {
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t fetch, NewFetch(node, /*sum=*/false));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<v1::RootNotice> notices, orders(fetch));
  const auto incoming = std::make_shared<IncomingShard>(node, job, absl::StrCat(fetch));
  {
    std::lock_guard lock(mutex_);
    reduces_[fetch] = std::move(reduce);
  }
  const absl::Status status = Await(fetch, incoming, notices);
  {
    std::lock_guard lock(mutex_);
    reduces_.erase(fetch);
  }
  CAIRN_RETURN_IF_ERROR(status);
  return incoming->Finish(job);
}

void NodeTable::Reduced(const std::string& node, std::uint64_t fetch, bool greatest, Meeting::Values values,
                        Answer answer) {
  Reduce reduce;
  {
    std::lock_guard lock(mutex_);
    const auto incoming = incoming_.find(fetch);
    const auto found = reduces_.find(fetch);
    if (incoming != incoming_.end() && incoming->second->node() == node && found != reduces_.end()) {
      reduce = found->second;
    }
  }
  if (reduce == nullptr) return answer(absl::NotFoundError(absl::StrCat("nobody waits for fetch ", fetch)));
  reduce(greatest, std::move(values), std::move(answer));
}

void NodeTable::Remind(const std::string& federation) {
  v1::RootNotice notice;
  notice.set_keep(federation);
  std::lock_guard lock(mutex_);
  for (const auto& [node, attending] : attending_) attending.notify(notice);
}

}  // namespace cairn
