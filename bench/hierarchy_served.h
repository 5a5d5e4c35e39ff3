// A real server and its clients.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/hierarchy_crowd.h"
#include "bench/hierarchy_steps.h"
#include "bench/ingest_payload.h"
#include "bench/ingest_server.h"

namespace cairn::bench {

// Updates of about `bytes`, no two the same, which share nearly all of their memory.
absl::StatusOr<Payloads> MakeCrowdPayloads(std::uint64_t bytes, int clients);

struct Serving {
  bool durable = true;
  int workers = 0;
  int clients = 1;
  int lines = 1;  // Connections, and so pushes at a time, at most.
};

// `cairn serve` with one federation of the rule "mean", whose clients have joined.
class Served {
 public:
  // `directory` must be new, and is removed with the object.
  static absl::StatusOr<std::unique_ptr<Served>> Start(const Serving& serving, const Payloads& payloads,
                                                       const std::filesystem::path& directory);
  ~Served();

  Crowd& crowd() { return *crowd_; }
  // The server, then its workers.
  std::vector<pid_t> Processes() const;
  absl::StatusOr<StepTotals> Steps() const;
  // The sha256 of version 1's weights.
  absl::StatusOr<std::string> FirstDigest() const;

 private:
  explicit Served(std::filesystem::path directory) : directory_(std::move(directory)) {}
  absl::Status AwaitWorkers(int count) const;

  const std::filesystem::path directory_;
  std::optional<ServerProcess> server_;
  std::optional<Crowd> crowd_;
};

}  // namespace cairn::bench
