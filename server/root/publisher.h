// The thread that aggregates, so that uploads of other federations go on meanwhile.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "server/metrics/metrics.h"
#include "server/root/nodes.h"
#include "server/root/publish.h"

namespace cairn {

class Publisher {
 public:
  using Done = std::function<void(const PublishJob& job, absl::StatusOr<Publication> publication)>;

  // `done` runs on the publisher's thread. Without `nodes`, `store` is not used either.
  Publisher(Store* store, Nodes* nodes, Metrics* metrics, Done done);
  ~Publisher() { Stop(); }

  // Ignored once stopped.
  void Start(PublishJob job);
  // Finishes the job in hand, unless it was cancelled, and drops the others: after a restart their rounds are still
  // closed and not published.
  void Stop();

 private:
  void Loop();

  Store* store_;
  Nodes* nodes_;
  Metrics* metrics_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::deque<PublishJob> jobs_;
  std::thread thread_;
};

}  // namespace cairn
