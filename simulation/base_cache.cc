#include "simulation/base_cache.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "simulation/data/corpus.h"
#include "simulation/terminal_view.h"
#include "simulation/trainer_group.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// One: sums depend on the number of threads, and the base should not depend on the machine's cores. On a busy machine
// two OpenMP threads that wait for each other are slower than one.
constexpr int kPretrainThreads = 1;
constexpr char kModelGeneration[] = "1";  // Raised when the model's code changes what the same configuration gives.

fs::path CacheDirectory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
    return fs::path(cache) / "cairn";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/tmp") / ".cache" / "cairn";
}

std::vector<std::string> ModelFlags(const Experiment& e) {
  return {"--width",         absl::StrCat(e.width),
          "--layers",        absl::StrCat(e.layers),
          "--heads",         absl::StrCat(e.heads),
          "--context",       absl::StrCat(e.context),
          "--steps",         absl::StrCat(e.pretraining.steps),
          "--batch",         absl::StrCat(e.pretraining.batch),
          "--learning-rate", absl::StrCat(e.pretraining.learning_rate),
          "--seed",          absl::StrCat(e.seed)};
}

std::string KeyOf(const std::vector<std::string>& flags, absl::string_view text) {
  std::string identity = absl::StrCat(kModelGeneration, " ", kPretrainThreads);
  for (const std::string& flag : flags) absl::StrAppend(&identity, " ", flag);
  absl::StrAppend(&identity, " ", Sha256Hex(text));
  return Sha256Hex(identity).substr(0, 16);
}

absl::Status Pretrain(const std::vector<std::string>& flags, const Workspace& workspace, const fs::path& target) {
  const std::string threads = absl::StrCat(kPretrainThreads);
  std::vector<std::string> arguments = {
      workspace.trainer.string(),         "--threads", threads,        "pretrain", "--text",
      workspace.pretrain_text().string(), "--out",     target.string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  TerminalView view("pre-training the base", 1);
  return RunTrainers({{"base", {arguments, {{"OPENBLAS_NUM_THREADS", threads}}, workspace.log("pretrain")}}}, nullptr,
                     view)
      .status();
}

}  // namespace

absl::StatusOr<bool> ProvideBase(const Experiment& experiment, const Workspace& workspace) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(workspace.pretrain_text(), kCorpusBytesMax));
  const std::vector<std::string> flags = ModelFlags(experiment);
  const fs::path cached = CacheDirectory() / absl::StrCat("base-", KeyOf(flags, text), ".safetensors");
  std::error_code error;
  fs::create_directories(cached.parent_path(), error);
  if (error) return ErrnoStatus(error.value(), "create", cached.parent_path());
  const bool hit = fs::exists(cached, error);
  if (!hit) CAIRN_RETURN_IF_ERROR(Pretrain(flags, workspace, cached));
  fs::copy_file(cached, workspace.base(), fs::copy_options::overwrite_existing, error);
  if (error) return ErrnoStatus(error.value(), "copy", cached);
  return hit;
}

}  // namespace cairn
