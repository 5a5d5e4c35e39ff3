// What happens in one federation, heard once from the root for all who watch it at this node. The stream is opened
// again whenever it ends; then everybody hears a snapshot.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "server/node/root_connection.h"
#include "server/root/notice.h"

namespace cairn {

class WatchFeed {
 public:
  using Id = std::uint64_t;

  // `root` outlives this object, and is closed before it is destroyed.
  WatchFeed(RootConnection* root, std::string federation);
  ~WatchFeed();

  // Root::Subscribe. `done` runs on this object's thread or, where the state is known already, on the caller's.
  void Subscribe(Id id, Listener listener, std::function<void(absl::Status)> done);
  void Unsubscribe(Id id);  // The listener hears nothing any more once it has returned.

 private:
  struct Waiting {
    Id id;
    Listener listener;
    std::function<void(absl::Status)> done;
  };

  void Loop();
  absl::Status Follow();
  void Hear(const Notice& notice);
  void Fail(const absl::Status& why);
  bool Pause();

  RootConnection* root_;
  const std::string federation_;
  std::mutex mutex_;  // Held while listeners run.
  std::condition_variable wake_;
  bool stopping_ = false;
  std::shared_ptr<const Snapshot> latest_;  // Null while the stream is down.
  std::map<Id, Listener> listeners_;
  std::vector<Waiting> waiting_;  // For the first snapshot.
  std::thread thread_;
};

}  // namespace cairn
