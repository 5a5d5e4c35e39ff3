// What a trainer process says on its standard output: one JSON object per line, flushed, for
// simulation/trainer_event.h.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cairn {

class Events {
 public:
  // What it does now, in which round (0: none yet): "joining", "waiting", "pulling", "evaluating", "training",
  // "forging" (attackers), "pushing".
  void Phase(std::uint64_t round, absl::string_view phase);
  // Loss in nats per byte. Only every kStepEvery-th step is told, and the last.
  void Step(std::uint64_t round, int step, int steps, double loss);
  void Transfer(absl::string_view direction, std::uint64_t bytes, std::uint64_t total);
  // Version 0 is the base model; alone, version r is what round r made.
  void HeldOut(std::uint64_t version, double loss);
  void Done();

 private:
  static constexpr int kStepEvery = 5;
};

}  // namespace cairn
