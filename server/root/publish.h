// From the updates of a closed round to a published version: combine, write, make durable, put in place atomically.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/limits.h"
#include "server/metrics/metrics.h"
#include "server/root/database.h"
#include "server/root/method.h"
#include "server/store/store.h"

namespace cairn {

class Sharder;
class Summer;

struct Contribution {
  ReceiptRow receipt;
  std::shared_ptr<const Blob> payload;  // Null: at the receipt's node.
  // Of an update at a node, where somebody else adds up: what NodeUpdateRow has.
  std::shared_ptr<const std::string> header = nullptr;
  std::string frozen = "";
};

struct PublishJob {
  std::string federation;
  Method method;
  std::uint64_t version = 0;
  std::string base_model;
  std::vector<Contribution> contributions;
  std::optional<VersionRow> previous;  // The version before.
  std::filesystem::path data_dir;
  std::uint64_t bytes_max = limits::kPayloadBytesMax;  // Of a published file: what clients can receive.
  Metrics* metrics = nullptr;                          // Told of errors, module by module. May be null.
  Summer* summer = nullptr;                            // Adds up updates elsewhere. May be null: here.
  Sharder* sharder = nullptr;                          // Has modules combined elsewhere. May be null: here.
  std::string updates = "";                            // Tells it from another job of the same round (Federation).
};

// Whether some of the updates are at nodes.
bool AtNodes(const PublishJob& job);

// A version, and what became of the contributions to its round, ascending by client.
struct Publication {
  VersionRow version;
  std::vector<OutcomeRow> outcomes;
};

// Writes adapters/<federation>/<sha256>.safetensors and published/<federation>/v<version>/ below the data directory,
// and for rules that need them the clients' histories (server/root/histories.h). Running it again, after a crash at any
// point, gives the same bytes in the same places. INVALID_ARGUMENT: what the rule refuses, with BlamedClient
// (aggregators/blame.h) where one update is to blame. FAILED_PRECONDITION: a file would be larger than bytes_max; found
// out before it is written, unless only a decomposition tells its rank. RESOURCE_EXHAUSTED: disk full. CANCELLED: the
// server is stopping. Of updates that are at nodes: what keeps the nodes from doing their part; when it is there are
// other ways left, the updates can be brought here and published.
absl::StatusOr<Publication> Publish(const PublishJob& job);

}  // namespace cairn
