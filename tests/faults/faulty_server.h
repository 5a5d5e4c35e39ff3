// A server that is killed, stopped, started with other workers or with failpoints, and always started again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "tests/integration/server_process.h"

namespace cairn::faults {

// For one thread, but for generation().
class FaultyServer {
 public:
  FaultyServer(std::filesystem::path directory, const std::string& config, int workers);

  absl::Status Start();
  // Also when failpoints end it on the way.
  absl::Status AwaitReady();
  // kill -9, and a start that is not waited for.
  absl::Status KillAndLaunch();
  // SIGTERM, which must end it with 0, and a start that is not waited for.
  absl::Status TerminateAndLaunch();
  // With failpoints (base/failpoint.h) in it and its workers from now on; "" for none. Each acts once.
  absl::Status RestartWith(const std::string& failpoints);
  absl::Status RestartWith(int workers);
  // Launches it again if a failpoint has ended it. INTERNAL: it ended otherwise.
  absl::Status Tend();
  // Whether the failpoint of that name has acted since RestartWith.
  bool Fired(const std::string& failpoint) const;
  bool AllFired() const;
  // SIGTERM; INTERNAL unless it exits with 0.
  absl::Status Stop();

  std::set<pid_t> Workers();
  // Counts the processes: what was only in memory is gone when it has changed.
  std::uint64_t generation() const { return generation_; }
  int workers() const { return workers_; }
  const std::string& address() const { return process_.address(); }
  testing::ServerProcess& process() { return process_; }
  std::filesystem::path data_dir() const { return process_.data_dir(); }
  std::filesystem::path node_dir() const { return data_dir() / "node"; }

 private:
  absl::Status Launch();

  const std::filesystem::path directory_;
  testing::ServerProcess process_;
  int workers_;
  std::string failpoints_;
  int arming_ = 0;  // Numbers the directories in which failpoints leave their names.
  std::atomic<std::uint64_t> generation_ = 0;
};

}  // namespace cairn::faults
