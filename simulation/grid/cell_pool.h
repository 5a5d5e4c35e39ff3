// Worker processes, each with one cell at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "simulation/grid/cell.h"
#include "simulation/process.h"

namespace cairn {

struct CellPoolOptions {
  std::vector<std::string> command;  // Of a worker: `cairn-trainer grid` and its flags.
  std::filesystem::path logs;        // worker-1.log, …
  std::size_t workers = 1;
  // A cell hangs when it takes longer than this and 20 times the slowest that was answered so far.
  absl::Duration patience = absl::Minutes(10);
};

class CellPool {
 public:
  explicit CellPool(CellPoolOptions options) : options_(std::move(options)) {}

  // Called once for each cell, in the order in which they end. An error ends the run.
  using OnDone = std::function<absl::Status(const Cell& cell, const CellOutcome& outcome)>;
  // Called at least every 100 ms with the cells that are under way, the oldest first.
  using OnTurn = std::function<void(const std::vector<const Cell*>& running)>;

  // Returns when all cells have an outcome. A worker that dies fails the cell that it had, with the end of its log, and
  // is replaced; so is one whose cell hangs. When more die than there may be at once, and none has answered yet, no
  // worker can start: INTERNAL, as for an answer that is none. CANCELLED on Ctrl-C.
  absl::Status Run(const std::vector<Cell>& cells, const OnDone& on_done, const OnTurn& on_turn);

 private:
  struct Worker {
    ChildProcess process;
    std::filesystem::path log;
    const Cell* cell = nullptr;               // That it works on.
    absl::Time since = absl::InfinitePast();  // When it got it.
  };

  absl::Status Start();
  absl::Status HandOut(Worker& worker);
  absl::Status Follow(std::list<Worker>::iterator worker);
  absl::Status Take(Worker& worker, const std::string& line);
  absl::Status Bury(std::list<Worker>::iterator worker, const std::string& end);
  absl::Status Tell(const Cell& cell, const CellOutcome& outcome);
  absl::Duration Limit() const;
  void WaitForOutput() const;
  std::vector<const Cell*> Running() const;

  const CellPoolOptions options_;
  std::list<Worker> workers_;
  std::size_t started_ = 0;  // Workers so far: for the names of logs.

  // Of the run under way.
  const std::vector<Cell>* cells_ = nullptr;
  const OnDone* on_done_ = nullptr;
  std::size_t next_ = 0, done_ = 0;
  std::size_t answers_ = 0, deaths_ = 0;  // Of all workers.
  absl::Duration slowest_;                // Of the answers.
};

}  // namespace cairn
