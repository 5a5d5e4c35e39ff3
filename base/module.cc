#include "base/module.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cairn {

namespace {

std::filesystem::path PathOf(const std::string& file) {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  const std::filesystem::path installed = folder.parent_path() / "lib" / file;
  return std::filesystem::exists(installed, ignored) ? installed : folder / file;
}

}  // namespace

absl::Status CheckModule(const std::string& file) {
  const std::filesystem::path path = PathOf(file);
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path.native(),
                                                    " is missing, which is a part of this program: "
                                                    "install or build all of it"));
}

absl::StatusOr<void*> LoadModule(const std::string& file) {
  const std::filesystem::path path = PathOf(file);
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  return absl::FailedPreconditionError(absl::StrCat("cannot load ", path.native(), ": ", dlerror()));
}

}  // namespace cairn
