// The dispatcher of a node: gives the updates of each round to workers, which fold them into partial sums as they come,
// and at the round's end has one of them merge what the others hold. A thread for each worker, which sleeps while there
// is nothing for it to do; what is to be done is in RoundSum.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/shared_text.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/root/shards.h"
#include "server/root/summer.h"
#include "server/store/shared/shared_store.h"
#include "server/tree/leaf_room.h"
#include "server/tree/round_sum.h"
#include "server/tree/unix_stream.h"
#include "server/tree/worker_link.h"

namespace cairn::tree {

struct TreeOptions {
  Metrics* metrics = nullptr;       // May be null.
  std::filesystem::path directory;  // The node's, of which a StoreAgent has made it nobody else's.
  std::size_t workers = 1;          // That are expected: how many may fold one round.
  // A worker that is of no use any more, by itself or because it is stopped. It must not go on. Must not block.
  std::function<void(ProcessId)> on_lost = [](ProcessId) {};
  // With nobody to do the work for so long, Sum gives up.
  absl::Duration patience = absl::Seconds(15);
  // A worker at work that says nothing for so long is stopped.
  absl::Duration silence = absl::Seconds(20);
  // One that is alive, and for so long tells of nothing that got done, hangs.
  absl::Duration stuck = absl::Seconds(limits::kWorkerStuckSeconds);
};

class Tree final : public Summer, public Sharder {
 public:
  // Listens for workers. The store must outlive it.
  static absl::StatusOr<std::unique_ptr<Tree>> Start(SharedStore* store, TreeOptions options);
  // Workers end when their connection does.
  ~Tree() override;

  void Contributed(const std::string& federation, std::uint64_t round, const Method& method,
                   const Contribution& contribution) override;
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const PublishJob& job) override;
  void Forget(const std::string& federation, std::uint64_t round) override;
  absl::StatusOr<std::vector<ShardPart>> Combine(const PublishJob& job, std::shared_ptr<const Shard> share) override;
  void Stop() override;

  // Its lease ran out, or its process ended: what it is doing will come to nothing.
  void WorkerEnded(const ProcessId& process);
  // A worker has left the store (SharedStoreOptions::on_closed): it may have sealed what it could not tell of.
  void SessionEnded();
  std::size_t workers() const;

 private:
  using RoundKey = std::pair<std::string, std::uint64_t>;
  struct Place {
    v1::UpdatePlace place;  // Without its adapter_config.
    SharedText adapter_config;
  };
  struct Round {
    std::uint64_t number = 0;  // For workers.
    std::string combine;
    RoundSum sum;
    std::map<UpdateId, Place> places;
    SharedTexts adapter_configs;
    std::map<UpdateId, absl::Time> queued;  // For metrics: since when, of those that no worker has begun with.
    std::map<PartialId, v1::SealedPartial> partials;
    std::uint64_t bytes_max = 0;             // Of an update.
    std::uint64_t plane_bytes = 0;           // Of a sum, the most that a worker told. 0: none has.
    std::map<WorkerId, std::uint64_t> held;  // Of the store, by sums that are under way, as far as they told.
    bool over = false;
  };
  struct Worker {
    WorkerId id = 0;
    std::unique_ptr<WorkerLink> link;
    bool greeted = false;
    bool ended = false;
    std::thread thread;
  };
  // One task of a worker: an action for a round's sum, or its part of a round that is sharded.
  struct Job {
    RoundKey round;
    std::optional<Action> action;  // None: a shard.
    v1::WorkerTask task;
  };
  struct Sharding {
    std::map<WorkerId, v1::WorkerTask> tasks;  // Of those that have not begun.
    std::map<WorkerId, absl::StatusOr<v1::ShardMade>> made;
    std::set<WorkerId> members;
    std::shared_ptr<const Shard> share;  // Of this node, among others. Null: the round is combined here alone.
    bool lost = false;                   // One of them.
  };

  Tree(SharedStore* store, TreeOptions options, StreamListener listener);
  void Listen();
  void Drive(Worker& worker);
  absl::Status Work(Worker& worker);
  void JoinEnded();
  static std::vector<ObjectKey> KeysOf(const v1::SealedPartial& partial);
  absl::StatusOr<std::unique_ptr<RoundTotal>> TotalOf(const v1::SealedPartial& partial);
  std::vector<WorkerId> Greeted() const;
  absl::StatusOr<std::vector<ShardPart>> CombineWith(const std::vector<WorkerId>& members, const PublishJob& job,
                                                     const std::shared_ptr<const Shard>& share);
  WorkerLink::FindAnswer ReduceFurther(const v1::WorkerReduce& reduce);
  absl::Status RunSharding(Sharding& sharding);
  static void RemoveGroups(const std::filesystem::path& directory);
  static v1::WorkerReply Failure(const Job& job, const absl::Status& why);

  // With mutex_ held.
  Round& RoundOf(const RoundKey& key, const Method& method);
  UpdateId Know(Round& round, const Contribution& contribution);
  std::optional<Job> NextFor(WorkerId worker);
  Job JobOf(const RoundKey& key, Round& round, Action action);
  static std::uint64_t SumBytesOf(const Round& round);
  absl::Status CheckSealed(const Worker& worker, const v1::SealedPartial& sealed) const;
  LeafRoom Room() const;
  static std::size_t LeavesMaxOf(const Round& round, LeafRoom room);
  static void Measure(Round& round, WorkerId worker, const v1::WorkerReply& reply);
  void ObserveBegin(const Job& job);
  void ObserveEnd(const Job& job, double seconds);
  void Apply(WorkerId worker, const Job& job, const v1::WorkerReply& reply);
  void Conclude(Round& round);
  void Lose(WorkerId worker);
  std::vector<ObjectKey> TakeUseless();
  std::set<ObjectKey> KnownPlanes() const;  // Of partials of all rounds, and those that are about to go.
  void FindOrphans();
  void RemoveUseless(std::unique_lock<std::mutex>& lock);

  SharedStore* store_;
  const TreeOptions options_;
  StreamListener listener_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool sums_end_ = false;          // Stop was called.
  bool sweep_ = false;             // Workers have ended since the last FindOrphans.
  std::uint64_t last_number_ = 0;  // Of rounds, partials and workers.
  std::map<RoundKey, Round> rounds_;
  std::list<Worker> workers_;
  std::vector<ObjectKey> useless_;
  std::mutex sharding_mutex_;     // One at a time.
  Sharding* sharding_ = nullptr;  // Guarded by mutex_.
  std::thread thread_;
};

}  // namespace cairn::tree
