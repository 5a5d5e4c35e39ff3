// What a round must have published: computed in this process, without workers, nodes and faults, from exactly the
// updates of which the database has receipts.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/root/database.h"
#include "tests/faults/world.h"

namespace cairn::faults {

// Updates with a receipt, by client and variant (SmallUpdate).
using Acknowledged = std::set<std::pair<std::size_t, int>>;

// Whether a client was told that its acknowledged update is gone.
using Told = std::function<bool(const std::string& client)>;

struct Checked {
  std::size_t contributors = 0, lost = 0;
  std::string sha256;  // Of the whole.
};

class Oracle {
 public:
  // `directory`: its own. `data_dir`: the server's.
  Oracle(std::filesystem::path directory, std::filesystem::path data_dir)
      : directory_(std::move(directory)), data_dir_(std::move(data_dir)) {}

  // Of the published version `round`. INTERNAL: a contribution of somebody else, or other than it was sent, or twice;
  // one of `acknowledged` is missing, and the outcomes do not say that a node was lost with it, nor was the client told
  // so; other bytes, or other outcomes. To be called for every round, in order.
  absl::StatusOr<Checked> Check(std::size_t federation, std::uint64_t round, const Acknowledged& acknowledged,
                                const Told& told_of_loss);

 private:
  absl::Status CheckVersion(std::size_t federation, const VersionRow& expected, const VersionRow& got) const;
  void RemoveOld(std::size_t federation, std::uint64_t round) const;

  const std::filesystem::path directory_, data_dir_;
  std::array<std::optional<VersionRow>, kSmallFederations.size()> previous_;
};

}  // namespace cairn::faults
