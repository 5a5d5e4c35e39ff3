// What one machine has for adding up updates: the shared store, its agent, the dispatcher and the worker processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "server/store/shared/shared_store.h"
#include "server/store/shared/store_agent.h"
#include "server/tree/tree.h"
#include "server/tree/worker_processes.h"

namespace cairn::tree {

struct LocalTreeOptions {
  Metrics* metrics = nullptr;       // May be null.
  std::uint64_t budget = 0;         // Bytes of shared memory.
  std::uint32_t objects_max = 0;    // SharedStoreOptions.
  std::filesystem::path directory;  // For sockets; this node's alone.
  std::filesystem::path spill;      // SharedStoreOptions::spill_directory.
  // A worker that holds something and gives no sign of life for so long loses it.
  absl::Duration lease = absl::Seconds(10);
  absl::Duration stuck = absl::Seconds(limits::kWorkerStuckSeconds);  // TreeOptions.
  std::size_t workers = 0;                                            // Processes; 0: the shared store only.
  std::vector<std::string> worker;  // Program and arguments of one, without what names the node. Empty: they are
                                    // started by somebody else.
};

class LocalTree {
 public:
  // Errors as SharedStore::Open, StoreAgent::Start and Tree::Start.
  static absl::StatusOr<std::unique_ptr<LocalTree>> Start(const LocalTreeOptions& options);
  // Ends the workers first.
  ~LocalTree();

  SharedStore* store() { return store_.get(); }
  // Null without workers.
  Summer* summer() { return tree_.get(); }
  Sharder* sharder() { return tree_.get(); }
  std::size_t workers() const { return tree_->workers(); }  // That have come. REQUIRES: there may be some.

 private:
  LocalTree() = default;
  absl::Status StartWorkers(const LocalTreeOptions& options);
  void Ended(const ProcessId& process);  // Of a worker: it is, or must be.
  void SessionEnded();

  std::unique_ptr<SharedStore> store_;
  std::unique_ptr<StoreAgent> agent_;
  std::mutex mutex_;  // Of the two pointers: workers end before and after there are both.
  std::unique_ptr<Tree> tree_;
  std::unique_ptr<WorkerProcesses> processes_;
};

}  // namespace cairn::tree
