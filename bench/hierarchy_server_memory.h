// Memory of each process of a real server against the number of clients.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/hierarchy_memory.h"
#include "bench/hierarchy_served.h"

namespace cairn::bench {

struct ServerMemoryRow {
  int clients = 0, rounds = 0;
  MemoryWatch::Peaks peaks;  // Of the server, then of its workers.
};

// Whole rounds of all clients, for `time` at least, on a server that has run none yet.
absl::StatusOr<ServerMemoryRow> MeasureServerMemory(Served& served, int clients, int at_a_time, absl::Duration time);

// Process by process, so that one sees what grows. `left_out`: numbers of clients without figures.
std::string ServerMemoryTable(const std::vector<ServerMemoryRow>& rows, const std::vector<int>& left_out);

}  // namespace cairn::bench
