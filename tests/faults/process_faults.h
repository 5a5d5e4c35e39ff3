// What is done to the processes of a deployment while a round is under way.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/faults/deployment.h"
#include "tests/faults/diary.h"
#include "tests/faults/plan.h"

namespace cairn::faults {

// For the thread that tends the deployment.
class ProcessFaults {
 public:
  // All outlive this object. `log`: of the clients that are killed.
  ProcessFaults(Deployment& deployment, const Plan& plan, std::uint64_t round, bool durable, std::filesystem::path log,
                Diary& diary)
      : deployment_(deployment), plan_(plan), round_(round), durable_(durable), log_(std::move(log)), diary_(diary) {}
  ~ProcessFaults();

  absl::Status Do(const Fault& fault);
  // Goes on with those that were stopped for long enough, or all. Their pids are theirs until their parent has waited
  // for them; a signal that meets another process of the machine is one that does nothing to it unless it was stopped.
  void Wake(bool all);

 private:
  absl::Status DoToWorkers(const Fault& fault, FaultyServer& server);
  absl::Status DoToServer(const Fault& fault, FaultyServer& server);
  absl::Status BeStranger(const Fault& fault, const std::filesystem::path& node_dir);
  // A real client that is killed at a random moment; the one of the round goes on with what it left.
  absl::Status BeKilled(const Fault& fault);
  void Stop(const std::set<pid_t>& processes, absl::Duration time);

  Deployment& deployment_;
  const Plan& plan_;
  const std::uint64_t round_;
  const bool durable_;
  const std::filesystem::path log_;
  Diary& diary_;
  std::vector<std::thread> strangers_;
  std::vector<std::pair<pid_t, absl::Time>> stopped_;
};

}  // namespace cairn::faults
