// The inputs of `cairn aggregate`, opened and found fit to be combined with each other.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adapter/directory.h"
#include "cli/aggregate_request.h"

namespace cairn {

struct AggregateInput {
  std::string client;  // The path's base name.
  double examples = 1;
  std::filesystem::path path;
  StoredAdapter stored;
};

struct AggregateInputs {
  std::vector<AggregateInput> list;  // Ascending by client.
  std::string combine;               // The request's, or the default for what they are.
  bool bare_files = false;           // .safetensors files instead of PEFT folders.

  const PeftConfig& first_config() const { return list.front().stored.adapter.config; }
  bool lora() const { return first_config().kind == AdapterKind::kLora; }
  // The widest type of any floating-point tensor.
  DType widest() const;
  std::vector<const PeftConfig*> configs() const;
  std::vector<std::string> clients() const;  // Ascending.
  void DropPages() const;
};

// INVALID_ARGUMENT: a name twice, folders and bare files together, kinds that do not go together or that averaging
// would get wrong, LoRA factors without a config. FAILED_PRECONDITION: base models or task types differ
// (unless `force`). Files: as
// OpenAdapterPath.
absl::StatusOr<AggregateInputs> OpenInputs(const AggregateRequest& request);

}  // namespace cairn
