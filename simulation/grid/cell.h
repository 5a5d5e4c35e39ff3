// One federation of a grid, and what came of it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "simulation/grid/grid.h"

namespace cairn {

struct Cell {
  GridRule rule;  // With f in it: Against.
  std::string attack = kNoAttack;
  double concentration = std::numeric_limits<double>::infinity();
  std::uint32_t faulty = 0;  // f: the last so many participants attack.
  std::uint64_t seed = 0;
};

// Held-out loss in nats per byte, the mean over all domains. Infinity: the model is broken for good.
struct CellResult {
  double base = 0;             // Before the first round.
  std::vector<double> losses;  // After each round.
  double seconds = 0;

  double final_loss() const { return losses.empty() ? base : losses.back(); }
};

struct CellOutcome {
  enum class Kind {
    kDone,
    kRefused,  // The rule's bound does not allow so many attackers. Known without running it.
    kFailed,   // Tried again when the grid is run again.
  };
  Kind kind = Kind::kDone;
  CellResult result;   // kDone.
  std::string reason;  // kRefused, kFailed.
};

// Two cells with the same key have the same result under the same settings. Names of rules do not matter.
std::string KeyOf(const Cell& cell);
std::string CellKey(absl::string_view definition, absl::string_view attack, absl::string_view concentration,
                    absl::string_view faulty, absl::string_view seed);

// "krum, alie:z=1.5, alpha 0.1, f 2, seed 1", for people.
std::string TitleOf(const Cell& cell);

}  // namespace cairn
