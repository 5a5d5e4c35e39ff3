#include "simulation/trainer_group.h"

#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr int kRefreshMilliseconds = 100;
constexpr int kTailLines = 12;

class Group {
 public:
  Group(const std::vector<TrainerTask>& tasks, ChildProcess* server) : tasks_(tasks), server_(server) {}

  absl::Status Start() {
    for (const TrainerTask& task : tasks_) {
      CAIRN_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Spawn(task.process));
      children_.push_back(std::move(child));
      states_.push_back({.name = task.name});
    }
    return absl::OkStatus();
  }

  // True when all have ended well.
  absl::StatusOr<bool> Turn() {
    WaitForOutput();
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    if (server_ != nullptr && server_->ExitCode()) {
      return absl::InternalError(absl::StrCat("the server ended with exit code ", *server_->ExitCode(),
                                              " while clients were at work; see its log"));
    }
    bool all_ended = true;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      CAIRN_ASSIGN_OR_RETURN(const bool ended, Follow(i));
      all_ended = all_ended && ended;
    }
    return all_ended;
  }

  std::vector<TrainerState>& states() { return states_; }

 private:
  void WaitForOutput() {
    std::vector<pollfd> waits;
    for (const ChildProcess& child : children_) {
      if (child.output() >= 0) waits.push_back({child.output(), POLLIN, 0});
    }
    poll(waits.data(), waits.size(), kRefreshMilliseconds);
  }

  absl::StatusOr<bool> Follow(std::size_t i) {
    const std::optional<int> code = children_[i].ExitCode();  // Before reading, so that the last lines are not missed.
    for (const std::string& line : children_[i].ReadLines()) {
      if (const std::optional<TrainerEvent> event = ParseTrainerEvent(line)) states_[i].Apply(*event);
    }
    if (!code) return false;
    if (*code == 0) return true;
    return absl::InternalError(absl::StrCat(tasks_[i].name, " ended with exit code ", *code, ". The end of ",
                                            tasks_[i].process.log.string(), ":\n",
                                            TailOf(tasks_[i].process.log, kTailLines)));
  }

  const std::vector<TrainerTask>& tasks_;
  ChildProcess* server_;
  std::vector<ChildProcess> children_;
  std::vector<TrainerState> states_;
};

}  // namespace

void TrainerState::Apply(const TrainerEvent& event) {
  switch (event.kind) {
    case TrainerEvent::Kind::kPhase:
      round = event.round;
      phase = event.phase;
      step = 0;
      transfer_done = transfer_total = 0;
      break;
    case TrainerEvent::Kind::kStep:
      round = event.round;
      step = event.step;
      steps = event.steps;
      loss = event.loss;
      losses.push_back({event.round, event.step, event.loss});
      break;
    case TrainerEvent::Kind::kTransfer:
      transfer_done = event.bytes;
      transfer_total = event.total;
      if (event.bytes == event.total) (event.phase == "push" ? bytes_sent : bytes_received) += event.total;
      break;
    case TrainerEvent::Kind::kHeldOut:
      held_out[event.round] = event.loss;
      break;
    case TrainerEvent::Kind::kDone:
      done = true;
      phase = "done";
      break;
  }
}

absl::StatusOr<std::vector<TrainerState>> RunTrainers(const std::vector<TrainerTask>& tasks, ChildProcess* server,
                                                      GroupView& view) {
  Group group(tasks, server);
  CAIRN_RETURN_IF_ERROR(group.Start());
  for (bool ended = false; !ended;) {
    CAIRN_ASSIGN_OR_RETURN(ended, group.Turn());
    view.Show(group.states());
  }
  return std::move(group.states());
}

}  // namespace cairn
