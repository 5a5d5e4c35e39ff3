// One round of a small federation with the faults of its plan, and whether the promises were kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/sdk/client.h"
#include "tests/faults/faulty_server.h"
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

// A server with the small federations and their clients, over many rounds. For one thread.
class FaultyFederations {
 public:
  FaultyFederations(std::filesystem::path directory, bool durable, int workers);

  // Starts the server; every client joins every federation.
  absl::Status Start();
  // INTERNAL: a promise was broken, or something ended by itself; DEADLINE_EXCEEDED: the round does not end.
  absl::StatusOr<RoundResult> Run(const Plan& plan);
  // A round without faults in each federation; then ends the server. INTERNAL: something is left over.
  absl::Status Finish();

  FaultyServer& server() { return server_; }
  std::map<std::string, int>& totals() { return totals_; }  // By kind of fault.

 private:
  friend class Running;
  ClientOptions OptionsOf(std::size_t federation, const std::string& client) const;
  absl::Status Disarm(const Plan& plan);
  absl::Status DoFirst(const Plan& plan, RoundResult& result);
  bool IsPublished(std::size_t federation, std::uint64_t round) const;

  const std::filesystem::path directory_;
  const bool durable_;
  FaultyServer server_;
  Oracle oracle_;
  std::array<std::uint64_t, kSmallFederations.size()> rounds_ = {};  // Published so far.
  std::array<std::vector<std::unique_ptr<Client>>, kSmallFederations.size()> clients_;
  std::set<std::string> shared_memory_;  // When it began.
  std::map<std::string, int> totals_;
};

}  // namespace cairn::faults
