// The node's agent: the store of shared objects, lent to workers, and a thread that removes what it is told to.
#pragma once

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "bench/hierarchy_channel.h"
#include "server/store/shared/shared_store.h"
#include "server/store/shared/store_agent.h"

namespace cairn::bench {

class Agent {
 public:
  // Serves in ends.directory; the keys of what may go come on ends.data.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(const HierarchyEnds& ends);
  ~Agent();
  SharedStore& store() { return *store_; }

 private:
  Agent(int gone, std::unique_ptr<SharedStore> store, std::unique_ptr<StoreAgent> agent);
  void Run();

  const int gone_;
  const std::unique_ptr<SharedStore> store_;
  const std::unique_ptr<StoreAgent> agent_;
  std::thread thread_;
};

}  // namespace cairn::bench
