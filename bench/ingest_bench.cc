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
  int sink = -1;  // A SinkWork.
  std::string only;
  int repetitions = 7;
  std::string directory = fs::temp_directory_path();
};

absl::Status Run(const Flags& flags, const fs::path& directory) {
  auto wanted = [&](const char* part) { return flags.only.empty() || flags.only == part; };
  if (wanted("speed")) CAIRN_RETURN_IF_ERROR(MeasureSpeed(directory / "speed", flags.repetitions));
  if (wanted("steps")) CAIRN_RETURN_IF_ERROR(MeasureSteps(directory / "speed", flags.repetitions));
  if (wanted("memory")) CAIRN_RETURN_IF_ERROR(MeasureMemory(directory / "memory"));
  return absl::OkStatus();
}

int Main(const Flags& flags) {
  if (flags.sink >= 0) return RunSink(static_cast<SinkWork>(flags.sink));
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
  app.add_option("--sink", flags.sink, "Be a sink that does this much (this program starts itself so)")
      ->check(CLI::Range(0, cairn::bench::kSinkWorks - 1));
  app.add_option("--only", flags.only, "Only this part")->check(CLI::IsMember({"speed", "steps", "memory"}));
  app.add_option("--repetitions", flags.repetitions, "Of the speed test")->capture_default_str();
  app.add_option("--directory", flags.directory, "Where the servers' data goes for the time; needs 9 GB")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return cairn::bench::Main(flags);
}
