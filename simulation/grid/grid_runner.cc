#include "simulation/grid/grid_runner.h"

#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "simulation/base_cache.h"
#include "simulation/grid/cell_log.h"
#include "simulation/grid/cell_pool.h"
#include "simulation/grid/grid_report.h"
#include "simulation/grid/grid_view.h"
#include "simulation/grid/plan.h"
#include "simulation/workspace.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr int kCellGeneration = 2;  // Raised when the code changes what the same settings and cell give.

std::string TrainingText(const ExperimentTraining& training) {
  return absl::StrCat(training.steps, " steps of ", training.batch, " windows, learning rate ", training.learning_rate);
}

// All that the result of a cell depends on, besides the cell.
std::string SettingsOf(const Experiment& e, const Workspace& workspace) {
  Sha256 text;
  for (const ClientSplit& split : workspace.splits) {
    for (const std::string* part : {&split.client, &split.pretrain, &split.train, &split.held_out}) {
      text.Update(absl::StrCat(part->size(), "\n", *part));
    }
  }
  const auto names = [](std::string* out, const TextSource& domain) { *out += domain.name; };
  return absl::StrCat("generation: ", kCellGeneration, "\nparticipants: ", e.grid->participants,
                      "\nranks: ", absl::StrJoin(e.grid->ranks, " "), "\nrounds: ", e.rounds,
                      "\ntraining: ", TrainingText(e.training), "\nmodel: width ", e.width, ", ", e.layers, " layers, ",
                      e.heads, " heads, context ", e.context, "\npretraining: ", TrainingText(e.pretraining), ", seed ",
                      e.seed, "\ndomains: ", absl::StrJoin(e.grid->domains, " ", names),
                      "\ntext: ", ToHex(text.Finish()), "\n");
}

std::vector<std::string> WorkerCommand(const Experiment& e, const Workspace& workspace) {
  std::vector<std::string> command = {workspace.trainer.string(),
                                      "grid",
                                      "--base",
                                      workspace.base().string(),
                                      "--data",
                                      workspace.data().string(),
                                      "--participants",
                                      absl::StrCat(e.grid->participants),
                                      "--rounds",
                                      absl::StrCat(e.rounds),
                                      "--steps",
                                      absl::StrCat(e.training.steps),
                                      "--batch",
                                      absl::StrCat(e.training.batch),
                                      "--learning-rate",
                                      absl::StrCat(e.training.learning_rate)};
  for (const std::uint32_t rank : e.grid->ranks) command.insert(command.end(), {"--rank", absl::StrCat(rank)});
  for (const TextSource& domain : e.grid->domains) command.insert(command.end(), {"--domain", domain.name});
  return command;
}

class Runner {
 public:
  Runner(const Experiment& experiment, Workspace workspace, CellLog log)
      : experiment_(experiment), workspace_(std::move(workspace)), log_(std::move(log)), outcomes_(log_.outcomes()) {}

  absl::StatusOr<GridRun> Run(std::size_t workers) {
    const absl::Time started = absl::Now();
    CAIRN_RETURN_IF_ERROR(RefreshWorkspace(workspace_));
    CAIRN_RETURN_IF_ERROR(ProvideBase(experiment_, workspace_).status());
    Plan();
    const absl::Status run = RunCells(workers);
    GridResults results(experiment_, std::move(outcomes_));
    const absl::Status written = WriteFileAtomically(workspace_.out / "report.html", GridReportHtml(results));
    CAIRN_RETURN_IF_ERROR(run);  // Not before the report has what is done.
    CAIRN_RETURN_IF_ERROR(written);
    return GridRun{std::move(results), progress_.before, absl::ToDoubleSeconds(absl::Now() - started)};
  }

 private:
  // What is left to do. Cells that a rule refuses have their outcome at once, and none in the log. Those that failed
  // before come last: what fails again must not keep the others waiting.
  void Plan() {
    for (Cell& cell : CellsOf(*experiment_.grid)) {
      ++progress_.cells;
      const bool known = outcomes_.count(KeyOf(cell)) > 0;
      const std::optional<std::string> refusal = known ? std::nullopt : RefusalOf(*experiment_.grid, cell);
      if (refusal) outcomes_[KeyOf(cell)] = {CellOutcome::Kind::kRefused, {}, *refusal};
      if (known || refusal) {
        ++progress_.before;
      } else {
        cells_.push_back(std::move(cell));
      }
    }
    progress_.done = progress_.before;
    std::stable_partition(cells_.begin(), cells_.end(),
                          [this](const Cell& cell) { return log_.failed().count(KeyOf(cell)) == 0; });
  }

  absl::Status RunCells(std::size_t workers) {
    if (cells_.empty()) return absl::OkStatus();
    GridView view;
    view.Tell(absl::StrCat(cells_.size(), " cells to run, ", progress_.before, " done or refused before; ", workers,
                           " processes"));
    const absl::Time started = absl::Now();
    CellPool pool({WorkerCommand(experiment_, workspace_), workspace_.out / "logs", workers});
    const auto on_done = [&](const Cell& cell, const CellOutcome& outcome) {
      ++progress_.done;
      if (outcome.kind == CellOutcome::Kind::kFailed) {
        ++progress_.failed;
        view.Tell(absl::StrCat("failed: ", TitleOf(cell), ": ", outcome.reason));
      }
      return Keep(cell, outcome);
    };
    const auto on_turn = [&](const std::vector<const Cell*>& running) {
      progress_.elapsed = absl::Now() - started;
      view.Show(progress_, running);
    };
    const absl::Status status = pool.Run(cells_, on_done, on_turn);
    if (absl::IsCancelled(status)) {
      return absl::CancelledError(
          absl::StrCat(status.message(), " with ", progress_.done, " of ", progress_.cells,
                       " cells done, which report.html has; the same command goes on from there"));
    }
    on_turn({});
    return status;
  }

  absl::Status Keep(const Cell& cell, CellOutcome outcome) {
    CAIRN_RETURN_IF_ERROR(log_.Append(cell, outcome));
    outcomes_[KeyOf(cell)] = std::move(outcome);
    return absl::OkStatus();
  }

  const Experiment& experiment_;
  const Workspace workspace_;
  CellLog log_;
  std::map<std::string, CellOutcome> outcomes_;  // By KeyOf; failed ones of this run, too.
  std::vector<Cell> cells_;                      // To be run.
  GridProgress progress_;
};

}  // namespace

absl::StatusOr<GridRun> RunGrid(const Experiment& experiment, const fs::path& out, std::size_t workers) {
  const InterruptGuard guard;
  if (workers == 0) workers = ThreadsOf(0);
  CAIRN_ASSIGN_OR_RETURN(Workspace workspace, PlanWorkspace(experiment, out));
  CAIRN_ASSIGN_OR_RETURN(CellLog log, CellLog::Open(workspace.out, SettingsOf(experiment, workspace)));
  return Runner(experiment, std::move(workspace), std::move(log)).Run(workers);
}

}  // namespace cairn
