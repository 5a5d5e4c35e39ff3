// The command line of `cairn aggregate`, understood.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adapter/dtype.h"
#include "aggregators/publish_form.h"

namespace cairn {

// As typed; empty where nothing was.
struct AggregateFlags {
  std::vector<std::string> inputs;
  std::string examples, combine, rule = "examples";
  std::vector<std::string> guards, rule_modules;
  std::string relative_to, last, history;
  std::string publish, base, out, report, device = "cpu", dtype;
  int threads = 0;  // 0: one a processor.
  bool gram = false, force = false;
};

struct AggregateRequest {
  std::vector<std::filesystem::path> inputs;
  std::vector<double> examples;  // One an input.
  std::string combine;           // Empty: what suits the inputs.
  std::string rule;
  std::vector<std::string> guards, rule_modules;
  std::filesystem::path relative_to, last, history;  // Of earlier rounds: an adapter, an adapter, a folder of adapters.
  std::optional<PublishForm> publish;                // None: the combine rule's own.
  std::filesystem::path base;                        // For kMerged.
  std::filesystem::path out, report;                 // No report: empty.
  std::string device;
  std::optional<DType> dtype;  // None: the widest input.
  int threads = 1;
  bool gram = false, force = false;

  // dense_mean was asked for by name: inputs are tensors, whatever they mean.
  bool plain_tensors() const;
};

// INVALID_ARGUMENT and NOT_FOUND name the flag, what was expected and what came. No file is looked at; a GPU is, when
// --device names one.
absl::StatusOr<AggregateRequest> ParseAggregateFlags(const AggregateFlags& flags);

}  // namespace cairn
