// Stacking and averaging adapter files beside a copy of their bytes, and compressing stacks beside libtorch's QR and
// SVD. docs/performance.md explains the tables.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench/combine_files.h"
#include "bench/combine_recompress.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string only;
  int repetitions = 5;
  int threads = ThreadsOf(0);
  std::string directory = "/dev/shm";
  std::string device = "cpu";
};

absl::Status Run(const Flags& flags, const fs::path& directory) {
  auto wanted = [&](const char* part) { return flags.only.empty() || flags.only == part; };
  if (wanted("stack")) CAIRN_RETURN_IF_ERROR(MeasureFiles(directory, flags.repetitions, flags.threads));
  if (wanted("recompress")) CAIRN_RETURN_IF_ERROR(MeasureRecompress(flags.device));
  return absl::OkStatus();
}

int Main(const Flags& flags) {
  std::string pattern = absl::StrCat(flags.directory, "/cairn-combine-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) {
    std::fprintf(stderr, "combine_bench: cannot create a directory in %s\n", flags.directory.c_str());
    return 1;
  }
  const absl::Status status = Run(flags, pattern);
  std::error_code error;
  fs::remove_all(pattern, error);
  if (!status.ok()) std::fprintf(stderr, "combine_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  CLI::App app("Adapter files combined, beside a copy of their bytes; stacks compressed, beside QR and SVD");
  cairn::bench::Flags flags;
  app.add_option("--only", flags.only, "Only this part")->check(CLI::IsMember({"stack", "recompress"}));
  app.add_option("--repetitions", flags.repetitions, "Of each combination")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "Of the copy, of Cairn and of libtorch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--directory", flags.directory, "Where the files are meanwhile: 8 GB, best in memory")
      ->capture_default_str();
  app.add_option("--device", flags.device, "Where stacks are compressed: cpu or cuda:N")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return cairn::bench::Main(flags);
}
