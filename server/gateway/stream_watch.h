// Ends streams on which nothing has moved for too long, so that a stalled or hostile sender cannot hold memory for
// ever.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace cairn {

inline constexpr absl::Duration kStreamIdleMax = absl::Seconds(60);

class StreamWatch {
 public:
  explicit StreamWatch(absl::Duration idle_max = kStreamIdleMax);
  ~StreamWatch();

  using Id = std::uint64_t;
  // `cancel` runs on the watch's thread when the stream was idle for too long.
  Id Add(std::function<void()> cancel);
  void Touch(Id id);
  // Streams that wait for the server itself are not to blame.
  void Pause(Id id);
  // `cancel` does not run any more once this has returned. May be called from inside `cancel`.
  void Remove(Id id);

 private:
  struct Stream {
    std::function<void()> cancel;
    absl::Time deadline;
  };
  void Loop();
  void CancelIdle();  // REQUIRES: mutex_ held.

  const absl::Duration idle_max_;
  std::recursive_mutex mutex_;  // Cancelling may end the stream at once, on the watch's own thread.
  std::condition_variable_any wake_;
  bool stopping_ = false;
  Id next_id_ = 1;
  std::map<Id, Stream> streams_;
  std::thread thread_;
};

}  // namespace cairn
