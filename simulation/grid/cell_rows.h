// The rows of cells.csv: what came of each cell, for programs that read tables (RFC 4180).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "simulation/grid/cell.h"

namespace cairn {

//   rule           its name
//   attack         with its options, or "none"
//   concentration  alpha of the Dirichlet distribution, or inf
//   faulty, seed
//   outcome        done, failed; in files of earlier versions also refused (a bound of the rule)
//   final_loss     held-out loss after the last round, nats per byte; empty unless done; inf: the model is broken
//   base_loss      before the first round
//   losses         after each round, with spaces between
//   seconds        that it took
//   definition     guards, rule, combine rule and publish form: DefinitionOf
//   reason         of cells that are not done
inline constexpr char kCellHeader[] =
    "rule,attack,concentration,faulty,seed,outcome,final_loss,base_loss,losses,seconds,definition,reason";

// Without the newline, and in one line.
std::string FormatCellRow(const Cell& cell, const CellOutcome& outcome);

struct CellRow {
  std::string key;  // KeyOf the cell.
  CellOutcome outcome;
};
// INVALID_ARGUMENT: not such a row.
absl::StatusOr<CellRow> ParseCellRow(absl::string_view line);

}  // namespace cairn
