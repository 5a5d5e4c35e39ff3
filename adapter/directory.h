// A PEFT adapter directory: adapter_config.json and adapter_model.safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "base/files.h"

namespace cairn {

inline constexpr char kAdapterModelFile[] = "adapter_model.safetensors";

// An adapter whose bytes are a mapped file, so that only pages in use are resident.
struct StoredAdapter {
  MappedFile file;
  Adapter adapter;  // Views into `file`.
};
absl::StatusOr<StoredAdapter> OpenAdapter(const std::filesystem::path& model_file, absl::string_view config_json);
absl::StatusOr<StoredAdapter> OpenAdapterDirectory(const std::filesystem::path& directory);

// Writes a safetensors file of float32 factors module by module, so that a large adapter never stands in memory whole.
// Layout: modules in the order given to Create, A before B. The file is durable when Finish returns.
class AdapterWriter {
 public:
  struct Shape {
    std::string module;
    std::int64_t d_in, d_out, rank;
  };
  static absl::StatusOr<AdapterWriter> Create(const std::filesystem::path& file, const std::vector<Shape>& shapes);
  AdapterWriter(AdapterWriter&&) noexcept;
  AdapterWriter& operator=(AdapterWriter&&) noexcept;
  ~AdapterWriter();

  // The next module's factors: a [rank, d_in], b [d_out, rank]. INVALID_ARGUMENT when sizes are not those announced.
  absl::Status Append(absl::Span<const float> a, absl::Span<const float> b);
  // Flushes, syncs, and returns the sha256 of the file. FAILED_PRECONDITION when modules are missing.
  absl::StatusOr<std::string> Finish() &&;

 private:
  struct State;
  explicit AdapterWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn
