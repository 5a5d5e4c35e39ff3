#include "bench/hierarchy_agent.h"

#include <sys/socket.h>

#include <utility>

#include "base/status_macros.h"
#include "bench/hierarchy_slab.h"
#include "bench/hierarchy_sockets.h"

namespace cairn::bench {

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(const HierarchyEnds& ends) {
  SharedStoreOptions options;
  // One more than is on the way: a producer need not wait until it is known that the oldest may go.
  options.budget = SlabPool::RoundUp(ends.bytes) * static_cast<std::uint64_t>(ends.in_flight + 1);
  CAIRN_ASSIGN_OR_RETURN(auto store, SharedStore::Open(std::move(options)));
  CAIRN_ASSIGN_OR_RETURN(auto agent, StoreAgent::Start(store.get(), ends.directory / "store"));
  return std::unique_ptr<Agent>(new Agent(ends.data, std::move(store), std::move(agent)));
}

Agent::Agent(int gone, std::unique_ptr<SharedStore> store, std::unique_ptr<StoreAgent> agent)
    : gone_(gone), store_(std::move(store)), agent_(std::move(agent)), thread_([this] { Run(); }) {}

Agent::~Agent() {
  shutdown(gone_, SHUT_RDWR);
  thread_.join();
}

void Agent::Run() {
  for (ObjectKey key; ReceiveValue(gone_, key).ok();) store_->Remove(key).IgnoreError();
}

}  // namespace cairn::bench
