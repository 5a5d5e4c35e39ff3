// The worker processes that a server starts itself: started again when they end, killed when they are of no use, and
// gone with the server, however it ends.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "server/store/shared/process_id.h"

namespace cairn::tree {

class WorkerProcesses {
 public:
  struct Options {
    std::vector<std::string> command;  // Program and arguments of one worker.
    std::size_t count = 0;
    absl::Duration lives_long = absl::Seconds(10);  // One that did: the next may start at once.
    // One has ended; called on a thread of this object, and must not wait for it.
    std::function<void(const ProcessId&)> on_ended = [](const ProcessId&) {};
  };
  static absl::StatusOr<std::unique_ptr<WorkerProcesses>> Start(Options options);
  // Kills them and waits until they are gone.
  ~WorkerProcesses();

  // SIGKILL, if it is one of these. Does not block.
  void Kill(const ProcessId& process);

 private:
  struct Process {
    ProcessId id;
    UniqueFd handle;  // A pidfd: it names this process even after its pid is another's.
    absl::Time started = absl::InfinitePast();
    absl::Time start_at = absl::InfinitePast();
    absl::Duration pause;  // Before the next start, if it fails soon.
    bool running() const { return static_cast<bool>(handle); }
  };

  WorkerProcesses(Options options, UniqueFd stop);
  void Run();
  void StartDue();
  void Spawn(Process& process);
  int PauseMillis() const;
  void AwaitEvent();
  void Reap(Process& process);

  const Options options_;
  UniqueFd stop_;
  mutable std::mutex mutex_;  // Of processes_, which only the thread changes.
  std::vector<Process> processes_;
  std::thread thread_;
};

}  // namespace cairn::tree
