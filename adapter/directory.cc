#include "adapter/directory.h"

#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/paths.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// Errors of a config begin with its name.
bool IsOfConfig(const absl::Status& status) { return absl::StartsWith(status.message(), kAdapterConfigFile); }

absl::StatusOr<StoredAdapter> Open(const fs::path& path, const PeftConfig& config) {
  StoredAdapter stored;
  CAIRN_ASSIGN_OR_RETURN(stored.files, TensorFiles::Open(path, kAdapterStem));
  absl::StatusOr<Adapter> adapter = AdapterOf(stored.files.tensors(), config);
  if (!adapter.ok()) return IsOfConfig(adapter.status()) ? adapter.status() : InFile(path, adapter.status());
  stored.adapter = *std::move(adapter);
  return stored;
}

}  // namespace

absl::StatusOr<StoredAdapter> OpenAdapter(const fs::path& model_file, absl::string_view config_json, ReadAs as) {
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParsePeftConfig(config_json));
  if (as == ReadAs::kTensors) config.kind = AdapterKind::kAveraged;
  return Open(model_file, config);
}

absl::StatusOr<StoredAdapter> OpenAdapterDirectory(const fs::path& directory, ReadAs as) {
  CAIRN_ASSIGN_OR_RETURN(const std::string config,
                         ReadFile(directory / kAdapterConfigFile, limits::kAdapterConfigBytesMax));
  absl::StatusOr<StoredAdapter> stored = OpenAdapter(directory, config, as);
  if (stored.ok() || !IsOfConfig(stored.status())) return stored;
  return absl::Status(stored.status().code(), absl::StrCat((directory / "").native(), stored.status().message()));
}

absl::StatusOr<StoredAdapter> OpenTensors(const fs::path& file) {
  return Open(file, PeftConfig{.kind = AdapterKind::kAveraged, .peft_type = ""});
}

absl::StatusOr<StoredAdapter> OpenAdapterPath(const fs::path& path, ReadAs as) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? OpenAdapterDirectory(path, as) : OpenTensors(path);
}

}  // namespace cairn
