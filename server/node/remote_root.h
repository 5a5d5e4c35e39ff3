// The root as a gateway of another process sees it. Updates stay in this node's store: the root asks for their sum, or
// fetches them; published adapters are fetched once for all clients of the node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/worker_pool.h"
#include "server/gateway/credentials.h"
#include "server/gateway/stream_watch.h"
#include "server/node/adapter_fetcher.h"
#include "server/node/attendance.h"
#include "server/node/delivery.h"
#include "server/node/identity.h"
#include "server/node/node_shards.h"
#include "server/node/node_sums.h"
#include "server/node/peers.h"
#include "server/node/retention.h"
#include "server/node/root_connection.h"
#include "server/node/upload_teller.h"
#include "server/node/watch_feed.h"
#include "server/root/root.h"

namespace cairn {

struct RemoteRootOptions {
  std::string address;  // host:port
  RootTlsFiles tls;
  std::string node;                 // The node's name.
  std::string directory;            // v1::AttendRequest::directory
  std::filesystem::path cache_dir;  // For published adapters.
  std::filesystem::path data_dir;   // For sums that this process makes.
  // The node's workers: who adds up its updates, and who combines modules. They outlive the RemoteRoot. Null: this
  // process does.
  Summer* workers = nullptr;
  Sharder* sharder = nullptr;
  std::size_t worker_count = 0;
  std::string peer_address = "";  // v1::AttendRequest::peer
  Metrics* metrics = nullptr;     // Outlives it, too. May be null.
  // A node that could not read a byte of what it brings for so long attends no more.
  absl::Duration stuck = absl::Seconds(limits::kWorkerStuckSeconds);
};

class RemoteRoot final : public Root {
 public:
  // INVALID_ARGUMENT, NOT_FOUND: TLS files. `store` is the node's, and outlives this object.
  static absl::StatusOr<std::unique_ptr<RemoteRoot>> Open(RemoteRootOptions options, Store* store);
  ~RemoteRoot() override;

  // Begins to attend, and goes on; does not wait for the root. Once; the calls of Root may come before.
  void Attend(const ClientsOffer& offer);

  // Ends every call, and what is asked from now on ends at once: so that a gateway need not wait for the root to stop.
  void Close();

  // Whether the root knows that this node is there.
  absl::Status attended() const { return attendance_->state(); }

  // Root. While the root is away calls end with UNAVAILABLE within kRootCallMax, and at once as soon as that is known
  // (CheckUpload, Contribute, FindVersion, Subscribe); a Contribute that ends so may have been recorded. UploadEnded
  // and Progress may be lost.
  void Join(const std::string& federation, const std::string& client, std::optional<AdapterSpec> spec,
            Done<JoinResult> done) override;
  void Leave(const std::string& federation, const std::string& client, std::function<void(absl::Status)> done) override;
  void Place(const PlaceQuery& query, Done<std::string> done) override;
  void CheckUpload(const UploadKey& key, Done<Admission> done) override;
  void Progress(const UploadKey& key, std::uint64_t received) override;
  void UploadEnded(const UploadKey& key, const absl::Status& refusal) override;
  void Contribute(SealedUpdate update, Done<ReceiptRow> done) override;
  void FindVersion(const std::string& federation, std::uint64_t version, bool delta, Done<VersionFile> done) override;
  void Snapshots(const std::string& federation, Done<std::vector<std::shared_ptr<const Snapshot>>> done) override;
  void Subscribe(const std::string& federation, Listener listener, Done<Subscription> done) override;
  void Unsubscribe(Subscription subscription) override;

 private:
  RemoteRoot(RemoteRootOptions options, Store* store, std::shared_ptr<grpc::ChannelCredentials> credentials,
             std::unique_ptr<AdapterCache> cache);

  absl::Status CheckAttended() const;  // UNAVAILABLE: no, with the reason. Then nothing is taken from clients.
  void OnNotice(const v1::RootNotice& notice);
  using Pool = std::unique_ptr<WorkerPool>;
  void Work(Pool& pool, std::function<void()> task);  // Unless this object is at its end.
  // Soon, and not here: the caller may hold what `done` wants.
  template <typename Result>
  void Refuse(const Done<Result>& done, const absl::Status& why) {
    Work(answers_, [done, why] { done(why); });
  }
  void Tidy(const std::string& federation);
  void BringUpdate(const v1::FetchOrder& order);
  void OnSumOrder(const v1::UpdateList& piece);
  void OnShardOrder(const v1::ShardOrder& piece);
  void Bring(const std::string& federation, std::uint64_t round, std::uint64_t fetch, MakeParcel make);
  void ReportLost(const std::string& federation, const v1::KeepReply& kept);
  absl::StatusOr<Kept> AskKept(const std::string& federation);
  absl::StatusOr<v1::ContributeRequest> RequestFor(const SealedUpdate& update) const;
  void OnContributed(const v1::ContributeRequest& request, const absl::StatusOr<v1::ContributeReply>& reply);
  absl::StatusOr<WatchFeed*> FeedOf(const std::string& federation);

  const RemoteRootOptions options_;
  const std::uint64_t process_ = NewProcessNumber();
  Store* store_;
  NodeSums sums_;
  Retention retention_;
  RootConnection connection_;
  Peers peers_;
  UploadTeller teller_;
  AdapterFetcher fetcher_;
  NodeShards shards_;
  StreamWatch deliveries_;

  std::mutex mutex_;
  std::set<std::string> federations_;                        // As the root said. Empty: not yet.
  std::map<std::string, std::unique_ptr<WatchFeed>> feeds_;  // By federation; they stay.
  std::map<Subscription, WatchFeed*> subscriptions_;
  Subscription next_subscription_ = 1;
  std::string own_address_;   // Where clients of others are sent to this node.
  v1::UpdateList sum_order_;  // So far, as the next. Used by the thread of notices alone.
  v1::ShardOrder shard_order_;
  // For what the root waits for, for what else waits for the root, and for what does not. Null: at the end.
  Pool deliverers_, workers_, answers_;
  std::unique_ptr<Attendance> attendance_;
};

}  // namespace cairn
