#include "bench/hierarchy_server_steps.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/median.h"

namespace cairn::bench {
namespace {

using Row = std::vector<std::string>;

// Steps that lie within others.
bool IsPart(absl::string_view step) { return step == "write" || step == "merge"; }

std::string NameOf(absl::string_view step) {
  if (step == "write") return "  write, of receive";
  if (step == "merge") return "  merge, of publish";
  return std::string(step);
}

std::string Milliseconds(double seconds) { return absl::StrFormat("%.3f", 1e3 * seconds); }

double WholeOf(const StepTotals& totals) {
  double seconds = 0;
  for (const char* step : kSteps) seconds += IsPart(step) ? 0 : totals.Of(step).seconds;
  return seconds;
}

void AddStep(const StepTotals& totals, const char* step, Row& row) {
  const StepTotal& total = totals.Of(step);
  row.push_back(absl::StrFormat("%.0f", total.count));
  row.push_back(total.count == 0 ? "-" : Milliseconds(total.seconds / total.count));
  row.push_back(absl::StrFormat("%.0f %%", 100 * total.seconds / WholeOf(totals)));
}

template <typename Value>
Row RowOf(const std::string& name, const std::vector<ServerStepsColumn>& columns, const Value& value) {
  Row row = {name};
  for (const ServerStepsColumn& column : columns) {
    row.insert(row.end(), {absl::StrCat(column.pushes.size()), Milliseconds(value(column)), ""});
  }
  return row;
}

absl::Status RunInto(Served& served, ServerStepsColumn& column) {
  CAIRN_ASSIGN_OR_RETURN(StepTotals before, served.Steps());
  CAIRN_ASSIGN_OR_RETURN(const Crowd::Round round, served.crowd().Run(column.at_a_time));
  CAIRN_ASSIGN_OR_RETURN(StepTotals after, served.Steps());
  column.totals += after -= before;
  column.pushes.insert(column.pushes.end(), round.pushes.begin(), round.pushes.end());
  column.seconds += round.seconds;
  ++column.rounds;
  return absl::OkStatus();
}

absl::Status CheckFolded(const ServerStepsColumn& column) {
  const double folded = column.totals.Of("fold").count;
  if (folded == static_cast<double>(column.pushes.size())) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("workers folded ", folded, " of ", column.pushes.size(), " updates"));
}

}  // namespace

absl::StatusOr<std::vector<ServerStepsColumn>> MeasureServerSteps(Served& served, const std::vector<int>& at_a_time,
                                                                  int runs) {
  std::vector<ServerStepsColumn> columns;
  for (const int pushes : at_a_time) columns.push_back({.at_a_time = pushes});
  CAIRN_RETURN_IF_ERROR(served.crowd().Run(at_a_time.back()).status());
  for (int run = 0; run < runs; ++run) {
    for (ServerStepsColumn& column : columns) CAIRN_RETURN_IF_ERROR(RunInto(served, column));
  }
  for (const ServerStepsColumn& column : columns) CAIRN_RETURN_IF_ERROR(CheckFolded(column));
  return columns;
}

std::string ServerStepsTable(const std::vector<ServerStepsColumn>& columns) {
  std::vector<Row> rows = {{""}};
  for (const ServerStepsColumn& column : columns) {
    rows.front().insert(rows.front().end(), {absl::StrCat(column.at_a_time, " at a time: count"), "mean ms", "share"});
  }
  for (const char* step : kSteps) {
    Row row = {NameOf(step)};
    for (const ServerStepsColumn& column : columns) AddStep(column.totals, step, row);
    rows.push_back(std::move(row));
  }
  rows.push_back(RowOf("push, median", columns, [](const auto& column) { return Median(column.pushes); }));
  rows.push_back(RowOf("push, 99 %", columns, [](const auto& column) { return Quantile(column.pushes, 0.99); }));
  rows.push_back(RowOf("round, per update", columns,
                       [](const auto& column) { return column.seconds / static_cast<double>(column.pushes.size()); }));
  return FormatTable(rows, Align::kRight);
}

}  // namespace cairn::bench
