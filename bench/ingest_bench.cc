// Uploads into a real server, beside a bare gRPC sink and memcpy; and the server's memory under too many clients.
// docs/performance.md explains the tables.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/ingest_memory.h"
#include "bench/ingest_sink.h"
#include "bench/ingest_speed.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

struct Flags {
  bool sink = false;
  std::string only;
  int repetitions = 7;
  std::string directory = fs::temp_directory_path();
};

absl::Status Run(const Flags& flags, const fs::path& directory) {
  if (flags.only != "memory") CAIRN_RETURN_IF_ERROR(MeasureSpeed(directory / "speed", flags.repetitions));
  if (flags.only != "speed") CAIRN_RETURN_IF_ERROR(MeasureMemory(directory / "memory"));
  return absl::OkStatus();
}

int Main(const Flags& flags) {
  if (flags.sink) return RunSink();
  std::string pattern = absl::StrCat(flags.directory, "/cairn-ingest-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) {
    std::fprintf(stderr, "ingest_bench: cannot create a directory in %s\n", flags.directory.c_str());
    return 1;
  }
  const fs::path directory = pattern;
  fs::create_directories(directory / "speed");
  const absl::Status status = Run(flags, directory);
  std::error_code error;
  fs::remove_all(directory, error);
  if (!status.ok()) std::fprintf(stderr, "ingest_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  CLI::App app("Uploads into a real server, beside a bare gRPC sink and memcpy; and the server's peak memory");
  cairn::bench::Flags flags;
  app.add_flag("--sink", flags.sink, "Be the sink (this program starts itself so)");
  app.add_option("--only", flags.only, "Only this part")->check(CLI::IsMember({"speed", "memory"}));
  app.add_option("--repetitions", flags.repetitions, "Of the speed test")->capture_default_str();
  app.add_option("--directory", flags.directory, "Where the servers' data goes for the time; needs 9 GB")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return cairn::bench::Main(flags);
}
