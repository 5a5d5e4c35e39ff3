// Which cells of a grid are done, kept in the output directory, so that a run that was cut short can go on.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "simulation/grid/cell.h"
#include "simulation/grid/cell_rows.h"

namespace cairn {

class CellLog {
 public:
  // `out`/cells.csv, and `out`/settings.txt: `settings`, one "key: value" a line, is what all cells depend on.
  // FAILED_PRECONDITION, with the first line that differs, when the directory holds cells of other settings;
  // UNAVAILABLE when another process works in it; INVALID_ARGUMENT, with the line's number, for a file that is no such
  // table. A last line that was cut short is dropped.
  static absl::StatusOr<CellLog> Open(const std::filesystem::path& out, const std::string& settings);

  // By KeyOf. Failed cells are not in it, nor refusals: whether a rule's bound allows a cell is asked anew.
  const std::map<std::string, CellOutcome>& outcomes() const { return outcomes_; }
  // Of the cells that failed, and were not done since.
  const std::set<std::string>& failed() const { return failed_; }

  // In the file when the call returns.
  absl::Status Append(const Cell& cell, const CellOutcome& outcome);

 private:
  CellLog(FileLock lock, std::filesystem::path file) : lock_(std::move(lock)), path_(std::move(file)) {}
  absl::Status Load();
  void Keep(CellRow row);

  FileLock lock_;
  std::filesystem::path path_;
  UniqueFd file_;
  std::map<std::string, CellOutcome> outcomes_;
  std::set<std::string> failed_;
};

}  // namespace cairn
