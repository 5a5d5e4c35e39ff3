// One round of a small federation with the faults of its plan, and whether the promises were kept.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/sdk/client.h"
#include "tests/faults/deployment.h"
#include "tests/faults/oracle.h"
#include "tests/faults/plan.h"

namespace cairn::faults {

inline constexpr absl::Duration kRoundTimeout = absl::Seconds(120);

struct RoundResult {
  std::uint64_t round = 0;
  Checked checked;
  std::vector<std::string> done;  // What was done to whom, for people.
  absl::Duration took;
};

// A server, or a root and its nodes, with the small federations and their clients, over many rounds. For one thread,
// but for what is said to be thread-safe.
class FaultyFederations {
 public:
  FaultyFederations(std::filesystem::path directory, const Topology& topology);

  // Starts the servers; every client joins every federation.
  absl::Status Start();
  // INTERNAL: a promise was broken, or something ended by itself; DEADLINE_EXCEEDED: the round does not end.
  absl::StatusOr<RoundResult> Run(const Plan& plan);
  // Rounds without faults in each federation; then ends the servers. INTERNAL: something is left over.
  absl::Status Finish();

  Deployment& deployment() { return deployment_; }
  std::map<std::string, int>& totals() { return totals_; }  // By kind of fault.

  // Thread-safe:
  bool durable() const { return topology_.durable; }
  const std::filesystem::path& directory() const { return directory_; }
  ClientOptions OptionsOf(std::size_t federation, const std::string& client, std::size_t gateway) const;
  // Connected to that gateway, counted round and round. Errors as Client::Join.
  absl::StatusOr<Client*> ClientAt(std::size_t federation, std::size_t client, std::size_t gateway);
  bool IsPublished(std::size_t federation, std::uint64_t round) const;

 private:
  absl::Status JoinFirst(std::size_t federation, std::size_t client);
  absl::Status RunFaulty(const Plan& plan, RoundResult& result);
  absl::Status Disarm(const Plan& plan);
  absl::Status DoFirst(const Plan& plan, RoundResult& result);
  // Of what the rounds so far have left in running servers.
  absl::Status CheckNoLeaks(std::size_t federation, std::size_t parked);

  const std::filesystem::path directory_;
  const Topology topology_;
  const absl::Time start_ = absl::Now();
  Deployment deployment_;
  Oracle oracle_;
  std::array<std::uint64_t, kSmallFederations.size()> rounds_ = {};  // Published so far.
  std::mutex mutex_;
  std::map<std::array<std::size_t, 3>, std::unique_ptr<Client>> clients_;  // By federation, client and gateway.
  std::set<std::string> shared_memory_;                                    // When it began.
  std::map<std::string, int> totals_;
};

}  // namespace cairn::faults
