#include "simulation/grid/cell_pool.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/status_macros.h"
#include "simulation/grid/cell_lines.h"

namespace cairn {
namespace {

constexpr int kRefreshMilliseconds = 100;
constexpr int kTailLines = 12;

}  // namespace

absl::Status CellPool::Run(const std::vector<Cell>& cells, const OnDone& on_done, const OnTurn& on_turn) {
  cells_ = &cells;
  on_done_ = &on_done;
  next_ = done_ = 0;
  const std::size_t workers = std::min(options_.workers, cells.size());
  while (workers_.size() < workers) CAIRN_RETURN_IF_ERROR(Start());
  for (Worker& worker : workers_) CAIRN_RETURN_IF_ERROR(HandOut(worker));
  while (done_ < cells.size()) {
    on_turn(Running());
    WaitForOutput();
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    for (auto worker = workers_.begin(); worker != workers_.end();) CAIRN_RETURN_IF_ERROR(Follow(worker++));
  }
  workers_.clear();
  return absl::OkStatus();
}

absl::Status CellPool::Start() {
  const std::filesystem::path log = options_.logs / absl::StrCat("worker-", ++started_, ".log");
  CAIRN_ASSIGN_OR_RETURN(ChildProcess process,
                         ChildProcess::Spawn({options_.command, {{"OPENBLAS_NUM_THREADS", "1"}}, log, true}));
  workers_.push_back({std::move(process), log});
  return absl::OkStatus();
}

// The next cell, if there is one. A worker that cannot be written to has ended: Follow finds that.
absl::Status CellPool::HandOut(Worker& worker) {
  worker.cell = next_ < cells_->size() ? &(*cells_)[next_] : nullptr;
  if (worker.cell == nullptr) return absl::OkStatus();
  const absl::Status written = worker.process.Write(ToLine(CellRequest{next_++, *worker.cell}) + "\n");
  return absl::IsUnavailable(written) ? absl::OkStatus() : written;
}

absl::Status CellPool::Follow(std::list<Worker>::iterator worker) {
  const std::optional<int> code = worker->process.ExitCode();  // Before reading, so that the last lines are read.
  for (const std::string& line : worker->process.ReadLines()) {
    CAIRN_ASSIGN_OR_RETURN(const CellAnswer answer, ParseCellAnswer(line));
    CellOutcome outcome;
    if (answer.result.ok()) {
      outcome.result = *answer.result;
    } else {
      outcome = {CellOutcome::Kind::kFailed, {}, std::string(answer.result.status().message())};
    }
    worker->answered = true;
    ++done_;
    CAIRN_RETURN_IF_ERROR((*on_done_)((*cells_)[answer.id], outcome));
    CAIRN_RETURN_IF_ERROR(HandOut(*worker));
  }
  return code ? Bury(worker, *code) : absl::OkStatus();
}

absl::Status CellPool::Bury(std::list<Worker>::iterator worker, int exit_code) {
  const Cell* cell = worker->cell;
  const bool answered = worker->answered;
  const std::string reason = absl::StrCat("the worker ended with exit code ", exit_code, ". The end of ",
                                          worker->log.string(), ":\n", TailOf(worker->log, kTailLines));
  workers_.erase(worker);
  if (!answered) return absl::InternalError(reason);
  if (cell != nullptr) {
    ++done_;
    CAIRN_RETURN_IF_ERROR((*on_done_)(*cell, {CellOutcome::Kind::kFailed, {}, reason}));
  }
  if (next_ == cells_->size()) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(Start());
  return HandOut(workers_.back());
}

void CellPool::WaitForOutput() const {
  std::vector<pollfd> waits;
  for (const Worker& worker : workers_) {
    if (worker.process.output() >= 0) waits.push_back({worker.process.output(), POLLIN, 0});
  }
  poll(waits.data(), waits.size(), kRefreshMilliseconds);
}

std::vector<const Cell*> CellPool::Running() const {
  std::vector<const Cell*> out;
  for (const Worker& worker : workers_) {
    if (worker.cell != nullptr) out.push_back(worker.cell);
  }
  return out;
}

}  // namespace cairn
