// What the benchmark asks of its processes, and what they answer, as lines of text over their standard input and
// output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn::bench {

// To producer and aggregator alike.
struct Order {
  int updates = 1;
  int in_flight = 1;  // The producer waits while so many are on the way or being folded.
  bool land = true;   // Whether updates are landed; else their memory keeps what it holds.
  bool fold = true;
  int batch = 1;  // So many are folded together, once all of them are there; 0: as many as wait.
};
std::string TextOf(const Order& order);
absl::StatusOr<Order> ParseOrder(absl::string_view line);

// In nanoseconds; points in time are CLOCK_MONOTONIC's, which all processes share.
struct ProducerReport {
  std::int64_t start = 0;
  std::int64_t landing_cpu = 0;         // Of all updates together.
  std::vector<std::int64_t> landed_at;  // When the hop of each began.
};
struct AggregatorReport {
  std::int64_t copied = 0;             // Bytes, in user space.
  std::vector<std::int64_t> there_at;  // When the first byte of each was read.
  std::vector<std::int64_t> folded_at;
};
std::string TextOf(const ProducerReport& report);
std::string TextOf(const AggregatorReport& report);
// INTERNAL with the process' own message when `line` is no report.
absl::StatusOr<ProducerReport> ParseProducerReport(absl::string_view line);
absl::StatusOr<AggregatorReport> ParseAggregatorReport(absl::string_view line);

}  // namespace cairn::bench
