// Lends a SharedStore to the worker processes of this node, over a socket. One thread, which sleeps in the kernel
// unless a worker asks for something or a lease runs out.
#pragma once

#include <filesystem>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "server/store/shared/shared_store.h"

namespace cairn {

class StoreAgent {
 public:
  // Serves in `directory`, which is this agent's alone and is created with mode 0700 when missing. Errors as
  // PacketListener::Open. The store must outlive the agent, and has one at a time.
  static absl::StatusOr<std::unique_ptr<StoreAgent>> Start(SharedStore* store, const std::filesystem::path& directory);
  // Ends every session: what workers held is given back.
  ~StoreAgent();

  // Looks at the clock again, for one that is moved by hand.
  void Wake();

 private:
  struct Loop;
  explicit StoreAgent(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace cairn
