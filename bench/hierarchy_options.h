// What the hierarchy benchmark is asked to measure.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/hierarchy_contender.h"

namespace cairn::bench {

struct HierarchyOptions {
  std::vector<double> megabytes = {4.5, 33.6, 134, 233};  // Of an update, in 10^6 bytes.
  int runs = 5;
  std::vector<int> clients = {10, 100, 1000};
  std::vector<DesignFacts> designs;
  int in_flight = 2;             // Of the stream.
  double run_megabytes = 500;    // Updates of a run: as many as make so much, within bounds.
  double cell_seconds_max = 60;  // A number of clients that would take longer is left out.
  int handoffs = 500;
  std::vector<double> server_megabytes = {4.5, 33.6};  // Of an update to a real server.
  double memory_seconds = 10;                          // Rounds of few clients are repeated for so long there.
  double round_gigabytes_max = 5;                      // Numbers of clients that push more are left out there.
  std::filesystem::path directory;                     // Of sockets and logs; exists.
};

// "233 MB".
std::string NameOfSize(double megabytes);
// Starts every design, each in a directory of its own. Those that this machine lacks the programs for are left out,
// with a word on standard error.
absl::StatusOr<std::vector<std::unique_ptr<Contender>>> StartContenders(const HierarchyOptions& options,
                                                                        const std::vector<DesignFacts>& designs,
                                                                        const HierarchyPayload& payload,
                                                                        const std::string& name);

}  // namespace cairn::bench
