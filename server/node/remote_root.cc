#include "server/node/remote_root.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "adapter/safetensors.h"
#include "base/limits.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/node/delivery.h"
#include "server/node/shard_order.h"
#include "server/node/sum_parcel.h"
#include "server/node/update_list.h"

namespace cairn {
namespace {

constexpr int kWorkers = 8;  // Of each pool that may block: files that are delivered, and fetched, at a time.

template <typename Message>
void Fill(const UploadKey& key, Message& message) {
  message.set_federation(key.federation);
  message.set_round(key.round);
  message.set_client(key.client);
  message.set_sha256(key.sha256);
  message.set_payload_bytes(key.bytes);
}

void Fill(const ClientsOffer& offer, v1::ClientsOffer& message) {
  message.set_address(offer.address);
  message.set_zone(offer.zone);
  message.set_capacity(offer.capacity);
  message.set_fold_seconds_per_byte(offer.fold_seconds_per_byte);
  message.set_cores(offer.cores);
}

absl::StatusOr<std::shared_ptr<const AdapterSpec>> SpecOf(bool has, const v1::AdapterSpec& proto) {
  if (!has) return nullptr;
  CAIRN_ASSIGN_OR_RETURN(AdapterSpec spec, FromProto(proto));
  return std::make_shared<const AdapterSpec>(std::move(spec));
}

absl::StatusOr<JoinResult> JoinResultOf(const absl::StatusOr<v1::JoinReply>& reply) {
  CAIRN_RETURN_IF_ERROR(reply.status());
  CAIRN_ASSIGN_OR_RETURN(auto spec, SpecOf(reply->has_spec(), reply->spec()));
  return JoinResult{std::move(spec), std::make_shared<const Snapshot>(FromProto(reply->round()))};
}

absl::StatusOr<Admission> AdmissionOf(const absl::StatusOr<v1::AdmissionReply>& reply) {
  CAIRN_RETURN_IF_ERROR(reply.status());
  Admission admission;
  if (reply->has_receipt()) admission.receipt = FromProto(reply->receipt());
  CAIRN_ASSIGN_OR_RETURN(admission.spec, SpecOf(reply->has_spec(), reply->spec()));
  admission.combine = reply->combine();
  admission.sums_up = reply->sums_up();
  return admission;
}

// Of an update that was looked at when it came: if it cannot be read, that is not its sender's fault.
absl::StatusOr<std::string> HeaderOf(const Blob& blob) {
  const LostPagesGuard lost_pages;
  const absl::string_view bytes = blob.bytes();
  const auto header_bytes = SafetensorsHeaderBytes(bytes, bytes.size());
  std::string header(bytes.substr(0, header_bytes.value_or(0)));
  if (absl::Status lost = lost_pages.Lost(); !lost.ok()) return absl::UnavailableError(lost.message());
  CAIRN_RETURN_IF_ERROR(header_bytes.status());
  return header;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteRoot>> RemoteRoot::Open(RemoteRootOptions options, Store* store) {
  CAIRN_ASSIGN_OR_RETURN(auto credentials, MakeRootCredentials(options.tls));
  CAIRN_ASSIGN_OR_RETURN(auto known, KnownRoot::Load(options.data_dir, options.address));
  CAIRN_ASSIGN_OR_RETURN(auto cache, AdapterCache::Open(options.cache_dir, limits::kAdapterCacheBytesMax));
  std::unique_ptr<RemoteRoot> root(new RemoteRoot(std::move(options), store, std::move(credentials), std::move(cache)));
  root->attendance_ =
      std::make_unique<Attendance>(&root->connection_, std::move(known),
                                   [self = root.get()](const v1::RootNotice& notice) { self->OnNotice(notice); });
  return root;
}

void RemoteRoot::Attend(const ClientsOffer& offer) {
  v1::AttendRequest request;
  request.set_node(options_.node);
  request.set_directory(options_.directory);
  request.set_process(process_);
  request.set_sums(true);
  request.set_workers(static_cast<std::uint32_t>(options_.worker_count));
  request.set_peer(options_.peer_address);
  if (!offer.address.empty()) Fill(offer, *request.mutable_clients());
  {
    std::lock_guard lock(mutex_);
    own_address_ = offer.address;
  }
  attendance_->Start(std::move(request));
}

RemoteRoot::RemoteRoot(RemoteRootOptions options, Store* store, std::shared_ptr<grpc::ChannelCredentials> credentials,
                       std::unique_ptr<AdapterCache> cache)
    : options_(std::move(options)),
      store_(store),
      sums_(options_.node, options_.data_dir, store, options_.workers),
      retention_(store, [this](const std::string& federation) { return AskKept(federation); }),
      connection_(options_.address, credentials),
      peers_(options_.node, credentials, &connection_, options_.metrics),
      teller_(&connection_),
      fetcher_(&connection_, std::move(cache)),
      shards_({options_.node, options_.data_dir, store, options_.sharder, &peers_, &connection_, &fetcher_}),
      deliveries_(options_.stuck),
      deliverers_(std::make_unique<WorkerPool>(kWorkers)),
      workers_(std::make_unique<WorkerPool>(kWorkers)),
      answers_(std::make_unique<WorkerPool>(1)) {}

void RemoteRoot::Close() {
  sums_.Stop();
  peers_.Close();
  connection_.Close();
}

RemoteRoot::~RemoteRoot() {
  Close();
  Pool deliverers, workers, answers;
  {
    std::lock_guard lock(mutex_);
    deliverers.swap(deliverers_);
    workers.swap(workers_);
    answers.swap(answers_);
  }
  deliverers.reset();
  workers.reset();  // Ends what was queued, without the root.
  answers.reset();
  attendance_.reset();
  feeds_.clear();
  connection_.AwaitNone();
}

void RemoteRoot::Work(Pool& pool, std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (pool != nullptr) pool->Run(std::move(task));
}

void RemoteRoot::Join(const std::string& federation, const std::string& client, std::optional<AdapterSpec> spec,
                      Done<JoinResult> done) {
  v1::JoinRequest request;
  request.set_federation(federation);
  request.set_client(client);
  if (spec) *request.mutable_spec() = ToProto(*spec);
  connection_.Call<v1::JoinReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        connection_.federation().async()->Join(context, request, reply, std::move(done));
      },
      std::move(request), [done = std::move(done)](const auto& reply) { done(JoinResultOf(reply)); });
}

void RemoteRoot::Leave(const std::string& federation, const std::string& client,
                       std::function<void(absl::Status)> done) {
  v1::LeaveRequest request;
  request.set_federation(federation);
  request.set_client(client);
  connection_.Call<v1::LeaveReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        connection_.federation().async()->Leave(context, request, reply, std::move(done));
      },
      std::move(request), [done = std::move(done)](const auto& reply) { done(reply.status()); });
}

void RemoteRoot::Place(const PlaceQuery& query, Done<std::string> done) {
  v1::PlaceRequest request;
  request.set_federation(query.federation);
  request.set_client(query.client);
  request.set_zone(query.zone);
  request.set_payload_bytes(query.bytes);
  connection_.Call<v1::PlaceReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        connection_.federation().async()->Place(context, request, reply, std::move(done));
      },
      std::move(request),
      [this, done = std::move(done)](const absl::StatusOr<v1::PlaceReply>& reply) {
        if (!reply.ok()) return done(reply.status());
        std::unique_lock lock(mutex_);
        const bool here = reply->address() == own_address_;
        lock.unlock();
        done(here ? "" : reply->address());
      });
}

absl::Status RemoteRoot::CheckAttended() const {
  const absl::Status state = attended();
  if (state.ok()) return state;
  return absl::UnavailableError(absl::StrCat("node ", options_.node, " does not attend the root: ", state.message()));
}

void RemoteRoot::CheckUpload(const UploadKey& key, Done<Admission> done) {
  if (absl::Status there = CheckAttended(); !there.ok()) return Refuse(done, there);
  v1::ResumePointRequest request;
  Fill(key, request);
  connection_.Call<v1::AdmissionReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        connection_.node().async()->CheckUpload(context, request, reply, std::move(done));
      },
      std::move(request),
      [this, federation = key.federation, done = std::move(done)](const auto& reply) {
        const absl::StatusOr<Admission> admission = AdmissionOf(reply);
        if (admission.ok()) sums_.Know(federation, *admission);
        done(admission);
      });
}

void RemoteRoot::Progress(const UploadKey& key, std::uint64_t received) { teller_.Progress(key, received); }

void RemoteRoot::UploadEnded(const UploadKey& key, const absl::Status& refusal) { teller_.Ended(key, refusal); }

absl::StatusOr<v1::ContributeRequest> RemoteRoot::RequestFor(const SealedUpdate& update) const {
  const auto blob = store_->Find(update.key.federation, UpdateName(update.key.client, update.key.sha256));
  // What the root does not know of is let go of when the node connects again.
  if (!blob.ok()) return absl::UnavailableError("the update is not stored any more; send it again");
  CAIRN_ASSIGN_OR_RETURN(std::string header, HeaderOf(**blob));
  v1::ContributeRequest request;
  Fill(update.key, request);
  request.set_node(options_.node);
  request.set_process(process_);
  request.set_examples(update.examples);
  request.set_adapter_config(update.adapter_config);
  request.set_header(std::move(header));
  if (update.frozen.ok()) {
    request.set_frozen(*update.frozen);
  } else {
    *request.mutable_frozen_failure() = ToProto(update.frozen.status());
  }
  return request;
}

void RemoteRoot::Contribute(SealedUpdate update, Done<ReceiptRow> done) {
  if (absl::Status there = CheckAttended(); !there.ok()) return Refuse(done, there);
  const std::string name = UpdateName(update.key.client, update.key.sha256);
  retention_.Begin(update.key.federation, name);  // First: from here on it stays.
  absl::StatusOr<v1::ContributeRequest> request = RequestFor(update);
  if (!request.ok()) {
    retention_.End(update.key.federation, name);
    return Refuse(done, request.status());
  }
  const v1::ContributeRequest sent = *request;
  connection_.Call<v1::ContributeReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        connection_.node().async()->Contribute(context, request, reply, std::move(done));
      },
      *std::move(request),
      [this, sent, done = std::move(done)](const absl::StatusOr<v1::ContributeReply>& reply) {
        OnContributed(sent, reply);
        done(reply.ok() ? absl::StatusOr<ReceiptRow>(FromProto(reply->receipt())) : reply.status());
      });
}

void RemoteRoot::OnContributed(const v1::ContributeRequest& request, const absl::StatusOr<v1::ContributeReply>& reply) {
  retention_.End(request.federation(), UpdateName(request.client(), request.sha256()));
  const bool counts_here = reply.ok() && reply->node() == options_.node && reply->receipt().round() == request.round();
  // Not after UNAVAILABLE: the client comes again, and the next connection asks.
  if (!counts_here && !absl::IsUnavailable(reply.status())) Tidy(request.federation());
  if (counts_here) sums_.Contributed(request);
}

void RemoteRoot::FindVersion(const std::string& federation, std::uint64_t version, bool delta, Done<VersionFile> done) {
  if (absl::Status there = CheckAttended(); !there.ok()) return Refuse(done, there);
  v1::PullRequest request;
  request.set_federation(federation);
  request.set_version(version);
  request.set_form(delta ? v1::PullRequest::FORM_DELTA : v1::PullRequest::FORM_ADAPTER);
  Work(workers_, [this, request = std::move(request), done = std::move(done)] {
    // It may have waited for those before.
    if (absl::Status there = CheckAttended(); !there.ok()) return done(there);
    fetcher_.Fetch(request, done);
  });
}

void RemoteRoot::Snapshots(const std::string& federation, Done<std::vector<std::shared_ptr<const Snapshot>>> done) {
  v1::StatusRequest request;
  request.set_federation(federation);
  connection_.Call<v1::StatusReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        connection_.federation().async()->Status(context, request, reply, std::move(done));
      },
      std::move(request),
      [done = std::move(done)](const absl::StatusOr<v1::StatusReply>& reply) {
        if (!reply.ok()) return done(reply.status());
        std::vector<std::shared_ptr<const Snapshot>> snapshots;
        for (const v1::RoundInfo& info : reply->rounds()) {
          snapshots.push_back(std::make_shared<const Snapshot>(FromProto(info)));
        }
        done(std::move(snapshots));
      });
}

// Only of federations that there are: each has a thread.
absl::StatusOr<WatchFeed*> RemoteRoot::FeedOf(const std::string& federation) {
  std::lock_guard lock(mutex_);
  if (federations_.empty()) return absl::UnavailableError("the root has not answered yet");
  if (federations_.count(federation) == 0) {
    return absl::NotFoundError(
        absl::StrCat("no federation \"", federation, "\" here; the root runs ", absl::StrJoin(federations_, ", ")));
  }
  std::unique_ptr<WatchFeed>& feed = feeds_[federation];
  if (feed == nullptr) feed = std::make_unique<WatchFeed>(&connection_, federation);
  return feed.get();
}

void RemoteRoot::Subscribe(const std::string& federation, Listener listener, Done<Subscription> done) {
  if (absl::Status there = CheckAttended(); !there.ok()) return Refuse(done, there);
  Work(answers_, [this, federation, listener = std::move(listener), done = std::move(done)] {
    const auto feed = FeedOf(federation);
    if (!feed.ok()) return done(feed.status());
    Subscription subscription;
    {
      std::lock_guard lock(mutex_);
      subscription = next_subscription_++;
      subscriptions_[subscription] = *feed;
    }
    (*feed)->Subscribe(subscription, listener, [this, subscription, done](const absl::Status& status) {
      if (status.ok()) return done(subscription);
      Unsubscribe(subscription);
      done(status);
    });
  });
}

void RemoteRoot::Unsubscribe(Subscription subscription) {
  WatchFeed* feed = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = subscriptions_.find(subscription);
    if (found == subscriptions_.end()) return;
    feed = found->second;
    subscriptions_.erase(found);
  }
  feed->Unsubscribe(subscription);
}

}  // namespace cairn
