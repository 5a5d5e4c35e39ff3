// Adapters on disk: a PEFT folder (adapter_config.json and adapter_model.safetensors, perhaps in shards), or a bare
// .safetensors file.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "adapter/tensor_files.h"

namespace cairn {

inline constexpr char kAdapterModelFile[] = "adapter_model.safetensors";

// An adapter whose bytes are mapped files, so that only pages in use are resident.
struct StoredAdapter {
  TensorFiles files;
  Adapter adapter;  // Views into `files`.
};

// kTensors: for the rule dense_mean when it is asked for by name. Whatever the config says, every tensor is a
// DenseTensor and the config's kind is kAveraged; its json is kept, so that the result can be published with it.
enum class ReadAs { kAdapter, kTensors };

// Errors of tensors have the file's name in front.
absl::StatusOr<StoredAdapter> OpenAdapter(const std::filesystem::path& model_file, absl::string_view config_json,
                                          ReadAs as = ReadAs::kAdapter);
absl::StatusOr<StoredAdapter> OpenAdapterDirectory(const std::filesystem::path& directory,
                                                   ReadAs as = ReadAs::kAdapter);
// A .safetensors file without a config: kind kAveraged, everything else of the config empty.
absl::StatusOr<StoredAdapter> OpenTensors(const std::filesystem::path& file);
// A folder as OpenAdapterDirectory, anything else as OpenTensors.
absl::StatusOr<StoredAdapter> OpenAdapterPath(const std::filesystem::path& path, ReadAs as = ReadAs::kAdapter);

}  // namespace cairn
