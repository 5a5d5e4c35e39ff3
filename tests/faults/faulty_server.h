// A server, or one role of it, that is killed, stopped, started with other workers or with failpoints, and always
// started again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/integration/server_process.h"

namespace cairn::faults {

struct ServerRole {
  std::string name;                              // For people. Empty: there is only one.
  std::vector<std::string> command = {"serve"};  // Behind `cairn`.
  std::string host = "127.0.0.1";
  std::string node_dir = "node";  // Below data_dir: where its workers find it.
};

// For one thread, but for generation() and address().
class FaultyServer {
 public:
  FaultyServer(const ServerRole& role, std::filesystem::path directory, const std::string& config, int workers);

  absl::Status Start();
  // Also when failpoints end it on the way, and when it is still down.
  absl::Status AwaitReady();
  // kill -9; Tend starts it again when it has been `down` for so long.
  void Kill(absl::Duration down);
  // The same with SIGTERM, which must end it with 0.
  absl::Status Terminate(absl::Duration down);
  // With failpoints (base/failpoint.h) in it and its workers from now on; "" for none. Each acts once. Whenever one has
  // ended it, it stays `down` for so long.
  absl::Status RestartWith(const std::string& failpoints, absl::Duration down = absl::ZeroDuration());
  absl::Status RestartWith(int workers);
  // Launches it when that is due. INTERNAL: it ended by itself.
  absl::Status Tend();
  // Whether the failpoint of that name has acted since RestartWith.
  bool Fired(const std::string& failpoint) const;
  bool AllFired() const;
  // SIGTERM; INTERNAL unless it exits with 0.
  absl::Status Stop();

  bool Said(const std::string& text) const;  // In its log.
  std::set<pid_t> Workers();
  // Counts its ends: what was only in memory is gone when it has changed.
  std::uint64_t generation() const { return generation_; }
  int workers() const { return workers_; }
  std::string Label(const std::string& what) const;  // "NAME WHAT", for people.
  const std::string& address() const { return process_.address(); }
  pid_t pid() { return process_.child().pid(); }
  std::filesystem::path data_dir() const { return process_.data_dir(); }
  std::filesystem::path node_dir() const { return data_dir() / role_.node_dir; }

 private:
  absl::Status Launch();
  void LaunchIn(absl::Duration down);

  const ServerRole role_;
  const std::filesystem::path directory_;
  testing::ServerProcess process_;
  int workers_;
  std::string failpoints_;
  absl::Duration down_;  // After each end by a failpoint.
  int arming_ = 0;       // Numbers the directories in which failpoints leave their names.
  std::optional<absl::Time> launch_at_;
  std::atomic<std::uint64_t> generation_ = 0;
};

}  // namespace cairn::faults
