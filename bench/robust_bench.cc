// Robust rules beside the time that reading the updates takes, and beside the obvious way with libtorch; inner products
// of LoRA updates beside the machine's best matrix product. docs/performance.md explains the tables.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "aggregators/threads.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench/robust_dense.h"
#include "bench/robust_factors.h"

namespace cairn::bench {
namespace {

struct Flags {
  std::string part;
  int threads = ThreadsOf(0);
  DenseOptions dense;
  FactorOptions factors;
};

absl::Status Run(Flags flags) {
  at::set_num_threads(flags.threads);  // Of the literal rules.
  SetMatrixThreads(flags.threads);     // Of Cairn's module.
  flags.dense.threads = flags.factors.threads = flags.threads;
  flags.factors.repetitions = flags.dense.repetitions;
  auto wanted = [&](const char* part) { return flags.part.empty() || flags.part == part; };
  if (wanted("factors")) CAIRN_RETURN_IF_ERROR(MeasureFactors(flags.factors));
  if (wanted("dense")) CAIRN_RETURN_IF_ERROR(MeasureDense(flags.dense));
  return absl::OkStatus();
}

int Main(const Flags& flags) {
  const absl::Status status = Run(flags);
  if (!status.ok()) std::fprintf(stderr, "robust_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  CLI::App app("Robust rules beside a read of the updates, and beside the obvious way");
  cairn::bench::Flags flags;
  bool no_literal = false;
  app.add_option("--part", flags.part, "Only this part")->check(CLI::IsMember({"dense", "factors"}));
  app.add_option("--rules", flags.dense.only, "Only these rows of the first column");
  app.add_option("--clients", flags.dense.columns, "Numbers of updates")->capture_default_str();
  app.add_option("--elements", flags.dense.elements, "Of an update")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--faulty", flags.dense.faulty, "f")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--modules", flags.factors.modules, "Of updates with factors")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--repetitions", flags.dense.repetitions, "Of each row")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "Of Cairn and of libtorch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--no-literal", no_literal, "Without the obvious way");
  CLI11_PARSE(app, argc, argv);
  flags.dense.literal = !no_literal;
  return cairn::bench::Main(flags);
}
