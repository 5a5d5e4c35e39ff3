// What is done with paths besides opening them.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cairn {

// The folder that `path` lies in; "." for a plain name.
inline std::filesystem::path ParentOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// The same error, with the file it is about in front.
inline absl::Status InFile(const std::filesystem::path& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file.native(), ": ", status.message()));
}

}  // namespace cairn
