// cairn-trainer: trains LoRA adapters of a small byte-level language model, in a federation or alone.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "simulation/model/training.h"
#include "simulation/trainer/commands.h"

namespace {

// OpenBLAS reads its thread count when it is loaded, before main: start once more with it set. Without this, every
// client process would compute with as many threads as there are cores.
void PinBlasThreads(char** argv, const char* threads) {
  if (std::getenv("OPENBLAS_NUM_THREADS") != nullptr) return;
  setenv("OPENBLAS_NUM_THREADS", threads, 1);
  execv("/proc/self/exe", argv);
}

int Run(int argc, char** argv) {
  CLI::App app(
      "Trains LoRA adapters of a small byte-level language model, in a federation or alone.\n"
      "Progress goes to standard output, one JSON object per line.");
  app.require_subcommand(1);
  int threads = 1;
  app.add_option("--threads", threads, "Threads of this process. Results depend on it")->check(CLI::Range(1, 1024));
  cairn::Command run;
  cairn::AddPretrain(app, run);
  cairn::AddClient(app, run);
  cairn::AddAlone(app, run);
  cairn::AddEvaluate(app, run);
  cairn::AddGrid(app, run);
  CLI11_PARSE(app, argc, argv);
  PinBlasThreads(argv, std::to_string(threads).c_str());
  cairn::UseThreads(threads);
  const absl::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "cairn-trainer: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cairn-trainer: %s\n", error.what());
    return 1;
  }
}
