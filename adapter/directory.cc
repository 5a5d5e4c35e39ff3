#include "adapter/directory.h"

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// The same error, with the file it is about in front.
absl::Status InFile(const fs::path& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file.native(), ": ", status.message()));
}

absl::StatusOr<StoredAdapter> Open(const fs::path& path, const PeftConfig& config) {
  StoredAdapter stored;
  CAIRN_ASSIGN_OR_RETURN(stored.files, TensorFiles::Open(path, kAdapterStem));
  absl::StatusOr<Adapter> adapter = AdapterOf(stored.files.tensors(), config);
  if (!adapter.ok()) return InFile(path, adapter.status());
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
  return OpenAdapter(directory, config, as);
}

absl::StatusOr<StoredAdapter> OpenTensors(const fs::path& file) {
  return Open(file, PeftConfig{.kind = AdapterKind::kAveraged, .peft_type = ""});
}

absl::StatusOr<StoredAdapter> OpenAdapterPath(const fs::path& path, ReadAs as) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? OpenAdapterDirectory(path, as) : OpenTensors(path);
}

}  // namespace cairn
