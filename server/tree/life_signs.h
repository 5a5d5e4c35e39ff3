// That a worker which is at work, or holds something, is alive: told to the store's agent, which gives what it holds to
// others else, and, during a task, to the dispatcher, with how far it has come (base/progress.h). A thread that sleeps
// as long as there is nothing to be told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "server/tree/node_objects.h"

namespace cairn::v1 {
class WorkerMessage;
}

namespace cairn::tree {

class LifeSigns {
 public:
  // Both must outlive it.
  LifeSigns(NodeObjects* objects, int socket);
  ~LifeSigns();

  // What counts as getting on with a task. Pieces of work: what is done is told. Computing: pieces, and whole seconds
  // of processor time, since one call of a library may take hours and cannot tell.
  enum class Work { kPieces, kComputing };
  static std::uint64_t ProgressOf(Work work);
  void Begin(Work work);  // Of a task.
  void End(bool holds);
  // Why a sign was not taken: what this worker holds is lost.
  absl::Status lost() const;
  // Readable once lost() is not OK.
  int lost_fd() const { return lost_fd_.get(); }
  // To the dispatcher: one message at a time.
  absl::Status Send(const v1::WorkerMessage& message);

 private:
  enum class State { kIdle, kHolds, kWorks, kStops };
  void Set(State state);
  absl::Status TellDispatcher();
  void Loop();

  NodeObjects* objects_;
  const int socket_;
  const absl::Duration interval_;
  UniqueFd lost_fd_;
  std::mutex send_mutex_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kIdle;
  std::atomic<Work> work_ = Work::kPieces;
  absl::Status lost_;
  std::thread thread_;
};

}  // namespace cairn::tree
