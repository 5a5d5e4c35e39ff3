// One round under way: its clients, on threads, and what is done to processes meanwhile.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/faults/faulty_round.h"
#include "tests/faults/plan.h"
#include "tests/faults/wrong_push.h"

namespace cairn::faults {

// The round under way: clients on threads, processes on the caller's.
class Running {
 public:
  Running(FaultyFederations& all, const Plan& plan, std::uint64_t round, RoundResult& result)
      : all_(all), plan_(plan), round_(round), result_(result), start_(absl::Now()) {}

  absl::Status Run();

  // Whose acknowledged updates have to be in the version.
  std::set<std::string> Acknowledged() const;

 private:
  // The caller's thread: does what is due, and starts again what a failpoint has ended, until the version is there.
  absl::Status Watch(std::vector<std::thread>& threads);
  absl::Status Do(const Fault& fault, std::vector<std::thread>& threads);
  absl::Status BeStranger(const Fault& fault);

  // A real client that is killed at a random moment; the one on the thread goes on with what it left.
  absl::Status BeKilled(const Fault& fault);
  void Stop(const std::set<pid_t>& workers);

  // Those that were stopped for long enough, or all. Their pids are theirs until their parent has waited for them; a
  // signal that meets another process of the machine is one that does nothing to it unless it was stopped.
  void Wake(bool all);
  Sender SenderOf(std::size_t client) const;
  void BeClient(std::size_t client);
  void BeLoris(const Fault& fault);

  // Pushes until there is a receipt, or the round is over without it.
  absl::Status Contribute(std::size_t client);
  absl::Status Push(std::size_t client, const testing::UpdateBytes& update);
  absl::Status DoAfterReceipt(std::size_t client);

  // Same bytes get their receipt again, for ever; others never do. In memory mode a server that was killed has
  // forgotten both.
  absl::Status DoAfter(std::size_t client, const Fault& fault);

  void Note(const Fault& fault, const std::string& whom);
  absl::Status Skip(const Fault& fault, const std::string& why);
  void Tell(const absl::Status& status);

  FaultyFederations& all_;
  const Plan& plan_;
  const std::uint64_t round_;
  RoundResult& result_;
  const absl::Time start_;
  std::atomic<bool> published_ = false, over_ = false;
  std::atomic<int> left_ = 0;  // Client threads that have begun and not ended.
  std::mutex mutex_;           // Of all below, of result_.done and of the totals.
  absl::Status violation_;
  std::map<std::size_t, std::uint64_t> acknowledged_;  // By client: by which of the server's processes.
  std::vector<std::pair<pid_t, absl::Time>> stopped_;
};

}  // namespace cairn::faults
