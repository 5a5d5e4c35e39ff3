// The modules of a round that a node combines for the root: by its workers, or, where none is there, in this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/adapter_fetcher.h"
#include "server/node/parcel.h"
#include "server/node/peers.h"
#include "server/node/root_connection.h"
#include "server/node/root_reducer.h"
#include "server/node/turns.h"
#include "server/root/shards.h"
#include "server/store/store.h"

namespace cairn {

struct NodeShardsOptions {
  std::string node;                // Its name.
  std::filesystem::path data_dir;  // What is read of other nodes, and what is made, lies below.
  // All of them outlive the NodeShards; `workers` may be null.
  Store* store = nullptr;
  Sharder* workers = nullptr;
  Peers* peers = nullptr;
  RootConnection* root = nullptr;
  AdapterFetcher* fetcher = nullptr;
};

// Thread-safe.
class NodeShards {
 public:
  // The root's connection must be closed before the NodeShards go.
  explicit NodeShards(NodeShardsOptions options);
  ~NodeShards();

  // Exactly what the order says; one after the other. Blocks. INVALID_ARGUMENT with BlamedClient: an update cannot be
  // combined, or is lost. UNAVAILABLE: a node is away, or gave up. Any other error: it cannot be had here.
  // When the root asks no more for it: soon, ABORTED.
  Made Combine(const v1::ShardOrder& order, const std::shared_ptr<const Errand>& errand);

 private:
  Made CombineInTurn(const v1::ShardOrder& order, const std::shared_ptr<const Errand>& errand);
  Made CombineCaught(const v1::ShardOrder& order, const std::shared_ptr<const Errand>& errand);
  absl::StatusOr<std::vector<ShardPart>> PartsOf(const PublishJob& job, const std::shared_ptr<const Shard>& shard,
                                                 const Errand& errand) const;
  absl::Status FindPrevious(const PublishJob& job, const Errand& errand) const;
  Reduce Reducing(std::uint64_t fetch, bool greatest, const std::shared_ptr<const Errand>& errand) const;

  const NodeShardsOptions options_;
  const std::filesystem::path directory_;
  const std::shared_ptr<RootReducer> reducer_;
  Turns turns_;
  std::uint64_t last_ = 0;  // Of the folders.
};

}  // namespace cairn
