// What `cairn aggregate` writes: an adapter, one adapter for each recipient, or a base model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/tensor_files.h"
#include "aggregators/combine_report.h"
#include "aggregators/combined.h"
#include "aggregators/pipeline.h"
#include "aggregators/publish_form.h"
#include "cli/aggregate_inputs.h"

namespace cairn {

// Receives a result and writes its files below one directory.
class AggregateOutput {
 public:
  virtual ~AggregateOutput() = default;
  virtual absl::Status Module(const CombinedModule& module) = 0;
  virtual absl::Status Tensor(const CombinedTensor& tensor) = 0;
  // Everything is there and synced. Fills in the bytes, and what else only the output knows.
  virtual absl::Status Finish(CombineReport& report) = 0;
};

struct OutputSettings {
  std::filesystem::path directory;  // Exists.
  std::optional<DType> dtype;       // None: the widest input.
  int threads = 1;
  std::function<void(double part)> progress;  // 0 to 1.
};

// An adapter folder: scale 1 in every module; for kinds other than LoRA with the config of the first client. Bare files
// give `file_name` alone.
absl::StatusOr<std::unique_ptr<AggregateOutput>> AdapterOutput(const AggregateInputs& inputs, const PipelinePlan& plan,
                                                               const OutputSettings& settings,
                                                               const std::string& file_name);

// A folder for each recipient. RESOURCE_EXHAUSTED when they need more open files than are allowed. `exact`: deviations
// are those from the exact sum (Aggregator::exact).
absl::StatusOr<std::unique_ptr<AggregateOutput>> RecipientsOutput(
    const AggregateInputs& inputs, const PipelinePlan& plan, const OutputSettings& settings,
    const std::map<std::string, RecipientRank>& recipients, bool exact);

// The weights of a base model with the result added (aggregators/merge_base.h). `base` must outlive the output.
absl::StatusOr<std::unique_ptr<AggregateOutput>> MergedOutput(const AggregateInputs& inputs, const PipelinePlan& plan,
                                                              const OutputSettings& settings, const TensorFiles& base);

}  // namespace cairn
