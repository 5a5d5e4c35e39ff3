#include "simulation/trainer/events.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace cairn {
namespace {

void Emit(const nlohmann::ordered_json& event) {
  const std::string line = event.dump() + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

void Events::Phase(std::uint64_t round, absl::string_view phase) {
  Emit({{"event", "phase"}, {"round", round}, {"phase", std::string(phase)}});
}

void Events::Step(std::uint64_t round, int step, int steps, double loss) {
  if (step % kStepEvery != 0 && step != steps) return;
  Emit({{"event", "step"}, {"round", round}, {"step", step}, {"steps", steps}, {"loss", loss}});
}

void Events::Transfer(absl::string_view direction, std::uint64_t bytes, std::uint64_t total) {
  Emit({{"event", "transfer"}, {"direction", std::string(direction)}, {"bytes", bytes}, {"total", total}});
}

void Events::HeldOut(std::uint64_t version, double loss) {
  Emit({{"event", "held_out"}, {"version", version}, {"loss", loss}});
}

void Events::Done() { Emit({{"event", "done"}}); }

}  // namespace cairn
