// One run of the scenario with real processes, of which some are killed on the way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/faults/scenario.h"
#include "tests/integration/child.h"
#include "tests/integration/server_process.h"

namespace cairn::faults {

// kill -9 at a moment, and an immediate restart.
struct Kill {
  static constexpr int kServer = -1;
  absl::Duration at;     // From the start of the run.
  int victim = kServer;  // Or a client's index.
};

// `count` kills, uniform over `duration`; half of them of the server. The same for the same seed.
std::vector<Kill> RandomKills(std::uint64_t seed, int count, absl::Duration duration);

class FederationRun {
 public:
  FederationRun(std::filesystem::path directory, const Scenario& scenario);

  // Runs to the end, however often processes are killed. INTERNAL when a process ends with an error by itself, or one
  // is left over; DEADLINE_EXCEEDED when nothing ends. Kills after the end do not happen.
  absl::Status Run(const std::vector<Kill>& kills);

  int kills_done() const { return server_kills_ + client_kills_; }
  int server_kills() const { return server_kills_; }
  // Of the server's: while an upload was under way, and while a version was being written.
  int kills_in_uploads() const { return kills_in_uploads_; }
  int kills_in_publishing() const { return kills_in_publishing_; }
  absl::Duration duration() const { return duration_; }
  std::filesystem::path data_dir() const { return server_.data_dir(); }

 private:
  absl::Status Launch(std::size_t client);
  absl::Status Do(const Kill& kill);
  absl::Status KillServer();
  // Looks at every process. True once all clients have finished.
  absl::StatusOr<bool> Poll();
  absl::Status StopServer();
  absl::Status CheckNothingLeft() const;

  const std::filesystem::path directory_;
  const Scenario scenario_;
  testing::ServerProcess server_;
  std::vector<testing::Child> clients_;
  int server_kills_ = 0, client_kills_ = 0, kills_in_uploads_ = 0, kills_in_publishing_ = 0;
  absl::Duration duration_;
};

}  // namespace cairn::faults
