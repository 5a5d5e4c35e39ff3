// The nodes that attend the root, and what is being fetched from them. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/worker_pool.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/incoming.h"
#include "server/node/meeting.h"
#include "server/root/nodes.h"
#include "server/root/shards.h"
#include "server/store/store.h"

namespace cairn {

class NodeTable final : public Nodes {
 public:
  using Session = std::uint64_t;
  using Notify = std::function<void(const v1::RootNotice&)>;

  // `store` is the root's, and outlives this object. `verify`: as IncomingUpdate. `room_max`: how long what is fetched
  // waits for memory.
  NodeTable(Store* store, bool verify, absl::Duration room_max = kFetchRoomMax);

  // A node's stream begins. ALREADY_EXISTS: a node of this name but with another data directory, or of another process,
  // attends. An older stream of the same process counts no more. `notify` must not block, and is not called any more
  // once Leave has returned.
  // `then`: who else is to know of it, here and below. It runs before anybody else arrives or leaves, so that others
  // hear of it in this order: a node whose old stream ends late must not be away for them. It must not block.
  using Then = std::function<void()>;
  absl::StatusOr<Session> Arrive(const v1::AttendRequest& request, Notify notify, const Then& then);
  // Whether the node is away now: only then is anybody told. What was being fetched from it has failed.
  bool Leave(Session session, const Then& then);
  // The data directory of a node, if it is this process of it that attends; else UNAVAILABLE.
  absl::StatusOr<std::string> DirectoryOf(const std::string& node, std::uint64_t process) const;

  // What a node brings. NOT_FOUND: nobody waits for it.
  absl::StatusOr<std::shared_ptr<Incoming>> Take(const std::string& node, std::uint64_t fetch);

  absl::Status Fetch(const std::string& node, const UploadKey& key) override;
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const std::string& node, const PublishJob& job) override;
  void Remind(const std::string& federation) override;
  void Stop() override;

  // Nodes that attend, as they introduced themselves.
  std::vector<v1::AttendRequest> attending() const;
  // What the node makes of the orders (shard_order.h): some modules of the job. Blocks, until it has come.
  // `reduce`: what becomes of the numbers that it brings meanwhile. Errors as Sharder::Combine.
  using Answer = std::function<void(const absl::StatusOr<Meeting::Values>&)>;
  using Reduce = std::function<void(bool greatest, Meeting::Values values, Answer answer)>;
  using MakeOrders = std::function<absl::StatusOr<std::vector<v1::RootNotice>>(std::uint64_t fetch)>;
  absl::StatusOr<std::vector<ShardPart>> Combine(const std::string& node, const PublishJob& job,
                                                 const MakeOrders& orders, Reduce reduce);
  // Numbers that a node brings. `answer` may run on any thread; NOT_FOUND: nobody waits for it.
  void Reduced(const std::string& node, std::uint64_t fetch, bool greatest, Meeting::Values values, Answer answer);

 private:
  struct Attending {
    Session session = 0;
    v1::AttendRequest request;
    Notify notify;
  };
  absl::StatusOr<std::unique_ptr<Upload>> Begin(const UploadKey& key);
  // `resumed`: whether it went on with what an attempt before it had left.
  absl::Status FetchOnce(const std::string& node, const UploadKey& key, bool* resumed);
  absl::StatusOr<std::uint64_t> NewFetch(const std::string& node, bool sum);
  // Sends the notices, and waits until what they ask for has come, or not.
  absl::Status Await(std::uint64_t fetch, const std::shared_ptr<Incoming>& incoming,
                     const std::vector<v1::RootNotice>& notices);

  Store* store_;
  const bool verify_;
  const absl::Duration room_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // A Begin was answered, or Stop called.
  bool stopped_ = false;
  std::uint64_t next_;  // Begins anywhere: a node may still bring what an earlier process of the root asked for.
  std::map<std::string, Attending> attending_;                   // By node.
  std::map<std::uint64_t, std::shared_ptr<Incoming>> incoming_;  // By fetch.
  std::map<std::uint64_t, Reduce> reduces_;                      // By fetch; of modules.
  WorkerPool opener_{1};
};

}  // namespace cairn
