// What clients sent, as a combine rule reads it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "adapter/peft_config.h"
#include "aggregators/aggregator.h"
#include "base/files.h"
#include "server/root/checked_adapters.h"
#include "server/root/database.h"
#include "server/store/store.h"

namespace cairn {

// Whether the rule was chosen to average tensors by name, whatever they mean: dense_mean. It gets every adapter as
// plain tensors, LoRA too, and has no modules.
bool TakesPlainTensors(const Aggregator& combine);

// As ParsePeftConfig, but for such a rule the kind is kAveraged, and without `json` where it is not needed again.
absl::StatusOr<PeftConfig> ParseUpdateConfig(absl::string_view adapter_config, const Aggregator& combine);

// A file of the data directory, and the adapter that it holds as such a rule reads it.
struct MappedAdapter {
  MappedFile file;
  Adapter adapter;  // Views into `file`.
};
absl::StatusOr<MappedAdapter> MapAdapter(const std::filesystem::path& file, absl::string_view adapter_config,
                                         const Aggregator& combine);

// The open round's combine rule, fed with the shapes of what was acknowledged: so that an update the rule could not
// combine with the others is refused before it is acknowledged, not after.
class Rehearsal {
 public:
  // `combine` as in the configuration.
  static absl::StatusOr<Rehearsal> Begin(const std::string& combine);

  // Aggregator::GoOnFrom: whether it would change anything, and to do it. Before the first Add; after an error begin
  // anew.
  bool goes_on() const;
  absl::Status GoOnFrom(std::uint64_t version, const std::filesystem::path& file, absl::string_view config);

  // INVALID_ARGUMENT as Aggregator::AccumulateShape.
  absl::Status Add(const std::string& client, std::uint64_t examples, std::shared_ptr<const Adapter> shape,
                   const std::string& frozen);
  // What the header of a safetensors file of `bytes` declares. INVALID_ARGUMENT.
  absl::StatusOr<std::shared_ptr<const Adapter>> Describe(absl::string_view header, std::uint64_t bytes,
                                                          absl::string_view adapter_config) const;
  // Adds an update that was acknowledged before a restart. DATA_LOSS: the disk did not give all of it.
  absl::Status Restore(Store& store, const ReceiptRow& receipt);

 private:
  struct Part {
    std::shared_ptr<const Adapter> shape;
    std::string frozen;  // Aggregator::FrozenParts
  };
  absl::StatusOr<Part> Read(absl::string_view bytes, absl::string_view adapter_config) const;

  std::unique_ptr<Aggregator> combine_;
  CheckedAdapters shapes_;  // The rule has pointers to them.
};

}  // namespace cairn
