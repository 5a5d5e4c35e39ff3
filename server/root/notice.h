// What the coordinator tells whoever watches a federation.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "aggregators/aggregator.h"
#include "server/root/database.h"
#include "server/round/round.h"

namespace cairn {

// A federation's state at one moment.
struct Snapshot {
  std::string federation;
  std::string combine, rule, publish;  // As in the configuration, with what it leaves open filled in.
  RoundStart start = RoundStart::kMerge;
  round::State state;
  std::string waiting_for;
  std::optional<double> relative_error;         // VersionRow::relative_error of the latest version.
  std::string version_sha256, previous_sha256;  // Of the whole adapters of the latest version and of the one before.
  std::shared_ptr<const std::vector<OutcomeRow>> outcomes;  // Of the latest version's round. Null: no version.
  std::uint32_t outcomes_left_out = 0;                      // How many there are beside these, where not all are known.
};

struct Notice {
  enum class Kind {
    kSnapshot,
    kJoined,
    kLeft,
    kOpened,
    kProgress,
    kContributed,
    kRejected,
    kExtended,
    kClosed,
    kPublished,
    kFailed,
    kFinished,
  };
  Kind kind = Kind::kSnapshot;
  std::shared_ptr<const Snapshot> snapshot;
  std::string client;  // The one concerned, if any.
  std::string detail;
  absl::Time at;
};

// Runs on the coordinator's thread: must not block.
using Listener = std::function<void(const Notice&)>;

}  // namespace cairn
