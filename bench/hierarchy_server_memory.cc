#include "bench/hierarchy_server_memory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/table.h"

namespace cairn::bench {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr absl::Duration kMemoryEvery = absl::Milliseconds(50);

std::string Megabytes(std::uint64_t bytes) { return absl::StrFormat("%.1f", 1e-6 * static_cast<double>(bytes)); }

std::string Ratio(std::uint64_t bytes, std::uint64_t of) {
  return absl::StrFormat("%.2f", static_cast<double>(bytes) / static_cast<double>(of));
}

std::vector<std::string> RowOf(const std::string& name, const ServerMemoryRow& row, const ProportionalMemory& memory,
                               const ProportionalMemory& first) {
  return {name,
          absl::StrCat(row.clients),
          absl::StrCat(row.rounds),
          Megabytes(memory.anonymous),
          Ratio(memory.anonymous, first.anonymous),
          Megabytes(memory.file),
          Megabytes(memory.shared),
          Megabytes(memory.total)};
}

}  // namespace

absl::StatusOr<ServerMemoryRow> MeasureServerMemory(Served& served, int clients, int at_a_time, absl::Duration time) {
  ServerMemoryRow row{clients, 0, {}};
  MemoryWatch watch(served.Processes(), kMemoryEvery);
  for (const absl::Time end = absl::Now() + time; row.rounds == 0 || absl::Now() < end; ++row.rounds) {
    CAIRN_RETURN_IF_ERROR(served.crowd().Run(at_a_time).status());
  }
  row.peaks = watch.Stop();
  return row;
}

std::string ServerMemoryTable(const std::vector<ServerMemoryRow>& rows, const std::vector<int>& left_out) {
  Rows text = {{"", "clients", "rounds", "anonymous", "of first", "file", "shared", "PSS"}};
  for (std::size_t process = 0; !rows.empty() && process < rows.front().peaks.processes.size(); ++process) {
    const std::string name = process == 0 ? "server" : absl::StrCat("worker ", process);
    for (const ServerMemoryRow& row : rows) {
      text.push_back(RowOf(name, row, row.peaks.processes[process], rows.front().peaks.processes[process]));
    }
  }
  for (const ServerMemoryRow& row : rows) {
    text.push_back(
        {"all", absl::StrCat(row.clients), absl::StrCat(row.rounds), "", "", "", "", Megabytes(row.peaks.total)});
  }
  for (const int clients : left_out) text.push_back({"all", absl::StrCat(clients), "-"});
  return FormatTable(text, Align::kRight);
}

}  // namespace cairn::bench
