// Runs the cells of a grid that are not done yet, on all processors.
#pragma once

#include <cstddef>
#include <filesystem>

#include "absl/status/statusor.h"
#include "simulation/experiment.h"
#include "simulation/grid/grid_results.h"

namespace cairn {

struct GridRun {
  GridResults results;
  std::size_t before = 0;  // Cells that an earlier run did.
  double seconds = 0;
};

// Writes into `out`: cells.csv (a row when a cell is done), settings.txt, report.html, data/, base.safetensors, logs/.
// Shows its progress on standard output. `workers` is the number of processes; 0: one a processor. `experiment` has a
// grid. Errors: CellLog::Open's, CellPool::Run's; the report then has what is done. CANCELLED on Ctrl-C; the same call
// then goes on from there.
absl::StatusOr<GridRun> RunGrid(const Experiment& experiment, const std::filesystem::path& out, std::size_t workers);

}  // namespace cairn
