#include "simulation/grid/cell_pool.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/interrupt.h"
#include "base/status_macros.h"
#include "simulation/grid/cell_lines.h"

namespace cairn {
namespace {

constexpr int kRefreshMilliseconds = 100;
constexpr int kTailLines = 12;
constexpr int kSlowestTimes = 20;  // A cell of other ranks and rules takes longer, but not that much.

}  // namespace

absl::Status CellPool::Run(const std::vector<Cell>& cells, const OnDone& on_done, const OnTurn& on_turn) {
  cells_ = &cells;
  on_done_ = &on_done;
  next_ = done_ = answers_ = deaths_ = 0;
  slowest_ = absl::ZeroDuration();
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
  worker.since = absl::Now();
  const absl::Status written = worker.process.Write(ToLine(CellRequest{next_++, *worker.cell}) + "\n");
  return absl::IsUnavailable(written) ? absl::OkStatus() : written;
}

absl::Status CellPool::Follow(std::list<Worker>::iterator worker) {
  const std::optional<int> code = worker->process.ExitCode();  // Before reading, so that the last lines are read.
  for (const std::string& line : worker->process.ReadLines()) CAIRN_RETURN_IF_ERROR(Take(*worker, line));
  if (code) {
    ++deaths_;
    return Bury(worker, absl::StrCat("the worker ended with exit code ", *code));
  }
  const absl::Duration taken = absl::Now() - worker->since;
  if (worker->cell == nullptr || taken <= Limit()) return absl::OkStatus();
  return Bury(worker, absl::StrFormat("no answer after %.0f s, where the slowest cell took %.0f s",
                                      absl::ToDoubleSeconds(taken), absl::ToDoubleSeconds(slowest_)));
}

// Nobody knows how long a cell takes before one is done.
absl::Duration CellPool::Limit() const {
  return answers_ == 0 ? absl::InfiniteDuration() : kSlowestTimes * slowest_ + options_.patience;
}

absl::Status CellPool::Take(Worker& worker, const std::string& line) {
  CAIRN_ASSIGN_OR_RETURN(const CellAnswer answer, ParseCellAnswer(line));
  if (worker.cell == nullptr || answer.id >= cells_->size() || &(*cells_)[answer.id] != worker.cell) {
    return absl::InternalError(absl::StrCat("a worker: expected an answer to the cell that it was given, got ", line));
  }
  CellOutcome outcome;
  if (answer.result.ok()) {
    outcome.result = *answer.result;
  } else {
    outcome = {CellOutcome::Kind::kFailed, {}, std::string(answer.result.status().message())};
  }
  ++answers_;
  slowest_ = std::max(slowest_, absl::Now() - worker.since);
  CAIRN_RETURN_IF_ERROR(Tell(*worker.cell, outcome));
  return HandOut(worker);
}

absl::Status CellPool::Tell(const Cell& cell, const CellOutcome& outcome) {
  ++done_;
  return (*on_done_)(cell, outcome);
}

absl::Status CellPool::Bury(std::list<Worker>::iterator worker, const std::string& end) {
  const Cell* cell = worker->cell;
  const std::string reason =
      absl::StrCat(end, ". The end of ", worker->log.string(), ":\n", TailOf(worker->log, kTailLines));
  workers_.erase(worker);
  if (cell != nullptr) CAIRN_RETURN_IF_ERROR(Tell(*cell, {CellOutcome::Kind::kFailed, {}, reason}));
  if (answers_ == 0 && deaths_ > options_.workers) return absl::InternalError(reason);
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
  std::vector<std::pair<absl::Time, const Cell*>> cells;
  for (const Worker& worker : workers_) {
    if (worker.cell != nullptr) cells.emplace_back(worker.since, worker.cell);
  }
  std::sort(cells.begin(), cells.end());
  std::vector<const Cell*> out;
  for (const auto& [since, cell] : cells) out.push_back(cell);
  return out;
}

}  // namespace cairn
