// What an aggregator does to an update once it has its bytes, the same for every contender; and the floor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cairn::bench {

// On one thread.
class Reducer {
 public:
  virtual ~Reducer() = default;
  // Folds whole updates, safetensors bytes, into the sum. Those that wait are folded together.
  virtual absl::Status Fold(absl::Span<const absl::string_view> updates) = 0;
};

// Cairn's: parses each update and adds it to a PartialSum of the rule "mean", as one more client. RESOURCE_EXHAUSTED
// after limits::kCohortClientsMax of them.
absl::StatusOr<std::unique_ptr<Reducer>> MakeReducer(const std::string& adapter_config);
// The floor: sum[i] += weight * x[i] in float32 over all bytes after the header, update by update. No reducer that
// reads every value and keeps one float32 for each can do with less traffic.
std::unique_ptr<Reducer> MakeAxpy();

}  // namespace cairn::bench
