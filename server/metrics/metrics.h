// What the server counts, under names that follow the Prometheus conventions (docs/operations.md lists them).
//
// Every method is thread-safe. Label values come from the configuration or from fixed sets in the code, so that a
// client cannot make the number of series grow; where they are clients or modules, their number is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cairn {

// What one client was to a published round.
struct ClientFigures {
  std::string client;
  double weight = 0;
  std::optional<double> distance, cosine;  // From the result; no series where they were not measured.
  bool dropped = false;                    // Voted down.
};

// How many clients a node was given to take the updates of.
struct NodeClients {
  std::string node;
  std::size_t clients = 0;
};

class Metrics {
 public:
  // `version` of the server, for cairn_build_info.
  explicit Metrics(absl::string_view version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The round now and its phase: one cairn_round_phase series of the federation is 1, the others are 0.
  void SetRound(absl::string_view federation, std::uint64_t round, absl::string_view phase);
  // `have` of the `want` contributions that close the round at once.
  void SetContributions(absl::string_view federation, std::uint64_t have, std::uint64_t want);
  // `outcome`: "published" or "failed".
  void RoundFinished(absl::string_view federation, absl::string_view outcome);
  // Of the latest version: its distance from the exact weighted sum of its round's updates, relative to that sum.
  void SetPublishedError(absl::string_view federation, double relative_error);
  // The same of one module. Of a federation's modules the first limits::kMetricModulesMax that come are kept.
  void SetPublishedError(absl::string_view federation, absl::string_view module, double relative_error);
  // The clients of the latest published round take the place of those of the one before. Of a round with more than
  // limits::kClientsShownMax there are totals only.
  void SetClients(absl::string_view federation, absl::Span<const ClientFigures> clients);
  // A round was published in which this client was voted down. Counted where SetClients gave it a series.
  void ClientDropped(absl::string_view federation, absl::string_view client);
  // How long the round was in `phase`.
  void ObservePhase(absl::string_view federation, absl::string_view phase, double seconds);

  // An update of `bytes` was acknowledged.
  void UpdateAccepted(absl::string_view federation, std::uint64_t bytes);
  // An update was refused; `reason` is one of a fixed set, such as "shape", "checksum", "closed".
  void UpdateRejected(absl::string_view federation, absl::string_view reason);
  // Uploads in progress: +1 when one starts, -1 when it ends.
  void InFlight(absl::string_view federation, int delta);
  // Payload bytes of uploads and downloads, whatever became of them.
  void BytesReceived(absl::string_view federation, std::uint64_t bytes);
  void BytesSent(absl::string_view federation, std::uint64_t bytes);

  // Payload bytes that nodes brought to the root, "update" or "sum", or that this node read of others' updates: "part".
  void NodeBytes(absl::string_view federation, absl::string_view kind, std::uint64_t bytes);
  // Takes the place of what was set before.
  void SetNodeClients(absl::Span<const NodeClients> nodes);

  // Of an update's way from its first byte to the version that it is in: receive (header to trailer, as fast as the
  // client sends), write (of that, copying to where the update lies), seal (until nothing can take it away), queue
  // (until a worker begins with it), fold (into a partial sum, each update's part of it), merge (of a worker's partial
  // into another's) and publish (from the closed round to the version).
  enum class Step { kReceive, kWrite, kSeal, kQueue, kFold, kMerge, kPublish };
  void ObserveStep(absl::string_view federation, Step step, double seconds);
  void ObserveAggregation(absl::string_view federation, absl::string_view combine, double seconds);
  void SetMemory(std::uint64_t used_bytes, std::uint64_t budget_bytes);

  // Everything in the text exposition format 0.0.4.
  std::string Render() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace cairn
