// A group of trainer processes that run together, and what they have told so far.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "simulation/process.h"
#include "simulation/trainer_event.h"

namespace cairn {

struct LossPoint {
  std::uint64_t round = 0;
  int step = 0;
  double loss = 0;  // Nats per byte, of one batch.
};

// One trainer, as its events tell it.
struct TrainerState {
  std::string name;
  std::string phase = "starting";
  std::uint64_t round = 0;
  int step = 0, steps = 0;
  double loss = 0;
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  std::uint64_t transfer_done = 0, transfer_total = 0;
  std::map<std::uint64_t, double> held_out;  // By version; 0 is the base.
  std::vector<LossPoint> losses;
  bool done = false;

  void Apply(const TrainerEvent& event);
};

// Shows the states of a group while it runs.
class GroupView {
 public:
  virtual ~GroupView() = default;
  virtual void Show(const std::vector<TrainerState>& states) = 0;
};

struct TrainerTask {
  std::string name;
  ProcessSpec process;
};

// Starts all tasks, and returns their states when all have ended well. INTERNAL, with the tail of its log, when one
// ends otherwise, or when `server` (may be null) ends meanwhile; CANCELLED on Ctrl-C. The others are then ended.
absl::StatusOr<std::vector<TrainerState>> RunTrainers(const std::vector<TrainerTask>& tasks, ChildProcess* server,
                                                      GroupView& view);

}  // namespace cairn
