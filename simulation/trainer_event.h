// One line of a trainer's standard output (simulation/trainer/events.h), read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cairn {

struct TrainerEvent {
  enum class Kind { kPhase, kStep, kTransfer, kHeldOut, kDone };
  Kind kind = Kind::kDone;
  std::uint64_t round = 0;             // kPhase, kStep; the version for kHeldOut.
  std::string phase;                   // kPhase; the direction for kTransfer.
  int step = 0, steps = 0;             // kStep.
  double loss = 0;                     // kStep, kHeldOut: nats per byte.
  std::uint64_t bytes = 0, total = 0;  // kTransfer.
};

// Nothing for a line that is not an event.
std::optional<TrainerEvent> ParseTrainerEvent(absl::string_view line);

}  // namespace cairn
