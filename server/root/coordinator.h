// Runs the federations of one data directory: one thread, one transaction at a time. Whatever happened since the last
// transaction is carried out in the next one, and nothing is answered or announced before it is durable.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/root/database.h"
#include "server/root/federation.h"
#include "server/root/nodes_summer.h"
#include "server/root/notice.h"
#include "server/root/placer.h"
#include "server/root/publisher.h"
#include "server/root/root.h"

namespace cairn {

struct CoordinatorOptions {
  std::filesystem::path data_dir;
  bool durable = true;
  std::vector<FederationOptions> federations;
  Nodes* nodes = nullptr;    // Null: there are none. Outlives the coordinator.
  Summer* summer = nullptr;  // Both must outlive the coordinator, and may be null.
  Sharder* sharder = nullptr;
};

class Coordinator final : public Root {
 public:
  // Opens the database, loads every federation, starts the thread. A federation that cannot be loaded is logged, shown
  // among the snapshots, and loaded when somebody asks for it and it can be; an error when none can be. All pointers
  // must outlive the coordinator.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Open(CoordinatorOptions options, Store* store, Metrics* metrics,
                                                           const Clock* clock);
  // Finishes what is queued, then stops.
  ~Coordinator() override;

  const std::string& identity() const { return identity_; }  // Database::Identity

  // `done` runs on the coordinator's thread. After UNAVAILABLE nothing has happened.
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

  // Whether a node may come with this data directory: as NodeArrived, but for what happens meanwhile.
  void CheckNode(const std::string& node, const std::string& directory, std::function<void(absl::Status)> done);
  // A node can be reached, or not any more. `done` runs when all federations know, with their names. After an error the
  // node is to come again; FAILED_PRECONDITION: with the directory of before (Database::ClaimNode), or another name.
  void NodeArrived(const std::string& node, const std::string& directory, const ClientsOffer& offer,
                   Done<std::vector<std::string>> done);
  void NodeLeft(const std::string& node);
  // Clients of nodes may be sent to this process, too. REQUIRES: CoordinatorOptions::nodes.
  void TakeClients(const ClientsOffer& offer);
  // What a node is to keep of a federation.
  void KeptBy(const std::string& node, const std::string& federation, Done<Kept> done);
  // Federation::UpdatesLost
  void UpdatesLost(const std::string& node, const std::string& federation, std::uint64_t round,
                   std::set<std::string> names, std::function<void(absl::Status)> done);

 private:
  // Called once the transaction is durable, or with the error that prevented it.
  using Reply = std::function<void(const absl::Status& committed)>;
  // Works in the transaction if it has begun, and returns the reply in any case.
  using Task = std::function<Reply(const absl::Status& begun)>;

  // What the publisher made of a job.
  struct Result {
    std::uint64_t version = 0;
    std::string updates;  // PublishJob's.
    absl::StatusOr<Publication> publication;
  };

  Coordinator(CoordinatorOptions options, Store* store, Metrics* metrics, const Clock* clock);

  std::vector<std::string> FederationNames() const;  // Of those that are configured.
  absl::Status LoadFederations();
  absl::Status LoadEach();
  absl::Status LoadOne(const FederationOptions& options);
  Federation* FindOrLoad(const std::string& name);  // In a transaction.
  absl::Status Failure(const std::string& name) const;
  std::shared_ptr<const Snapshot> FailedSnapshot(const FederationOptions& options, const absl::Status& why) const;
  void Reload();
  void StartPublishing(PublishJob job);
  void PublishingEnded(const std::string& federation, Result result);  // From any thread.
  void RetryUntold();
  void RunAfterCommit();
  Federation* Find(const std::string& name);
  absl::Status NoFederation(const std::string& name) const;
  // Queues `body`, whose result goes to `done` after the commit.
  template <typename T>
  void Run(std::string federation, std::function<absl::StatusOr<T>(Federation&)> body, Done<T> done);
  void RunStatus(std::string federation, std::function<absl::Status(Federation&)> body,
                 std::function<void(absl::Status)> done);
  void Enqueue(Task task);
  void Loop();
  void RunBatch(std::vector<Task> batch);
  void TellWhoLeft();
  void TickDue();
  void TellEach(const std::function<absl::Status(Federation&)>& event);
  absl::Time NextAlarm() const;
  void Announce(const Notice& notice);

  const CoordinatorOptions options_;
  const Clock* clock_;
  FederationHost host_;
  std::unique_ptr<Database> database_;
  std::string identity_;
  std::optional<NodesSummer> nodes_summer_;  // Where there are nodes.
  std::optional<Placer> placer_;             // Likewise.
  std::unique_ptr<Publisher> publisher_;

  // Used by the thread alone.
  absl::Status health_;  // Why the federations could not be reloaded after a failed commit: then there are none.
  std::map<std::string, std::unique_ptr<Federation>> federations_;
  struct Failed {
    absl::Status why;
    absl::Time retry_at;
  };
  std::map<std::string, Failed> failed_;  // Those that could not be loaded; the others serve.
  std::vector<std::function<void()>> after_commit_;
  // Those whose job waits, runs, or ended with a result that is not on record yet.
  std::set<std::string> in_hand_;
  struct Untold {
    std::string federation;
    Result result;
    absl::Time retry_at;
  };
  std::vector<Untold> untold_;                    // Results that met a database that could not be written.
  std::set<std::string> left_untold_;             // Nodes that left meanwhile.
  absl::Time not_before_ = absl::InfinitePast();  // The next attempt that nobody asks for, after one that failed.

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<Task> queue_;

  std::mutex listeners_mutex_;  // Held while listeners run, so that Unsubscribe can promise silence.
  Subscription next_subscription_ = 1;
  std::map<Subscription, std::pair<std::string, Listener>> listeners_;

  std::thread thread_;
};

}  // namespace cairn
