#include "cli/simulate.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/status_macros.h"
#include "cli/outcome.h"
#include "simulation/experiment.h"
#include "simulation/grid/grid_runner.h"
#include "simulation/results.h"
#include "simulation/runner.h"

namespace cairn {
namespace {

constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells have it.

struct SimulateOptions {
  std::filesystem::path file, data, out = "out";
  std::uint32_t rounds = 0;
  std::uint64_t seed = 0;
  bool seed_given = false;
  std::size_t workers = 0;
};

void PrintResults(const Results& results, const std::filesystem::path& out) {
  const bool attacked = results.HonestClients() < results.experiment.clients.size();
  std::printf("\nHeld-out loss, nats per byte; lower is better, * is below the base%s\n\n%s\n",
              attacked ? ", ! attacks" : "", ResultsTable(results).c_str());
  const std::string verdict = Verdict(results);
  if (!verdict.empty()) std::printf("%s\n", verdict.c_str());
  std::printf("%.0f s in all. Report: %s  adapter: %s\n", results.seconds, (out / "report.html").c_str(),
              (out / "adapter").c_str());
}

absl::Status SimulateGrid(const Experiment& experiment, const SimulateOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const GridRun run, RunGrid(experiment, options.out, options.workers));
  std::printf("\nHeld-out loss after the worst attack, nats per byte; lower is better");
  if (run.results.base()) std::printf("; the base has %.3f", *run.results.base());
  std::printf("\n\n%s%s\n", WorstTables(run.results).c_str(), GridVerdict(run.results).c_str());
  std::printf("%.0f s in all. Report: %s  cells: %s\n", run.seconds, (options.out / "report.html").c_str(),
              (options.out / "cells.csv").c_str());
  const std::string note = FailureNote(run.results);
  return note.empty() ? absl::OkStatus() : absl::InternalError(note);
}

absl::Status Simulate(const SimulateOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(Experiment experiment, LoadExperiment(options.file));
  if (!options.data.empty()) {
    CAIRN_ASSIGN_OR_RETURN(experiment, WithData(std::move(experiment), options.data));
  }
  if (options.rounds > 0) experiment.rounds = options.rounds;
  if (options.seed_given) experiment = WithSeed(std::move(experiment), options.seed);
  if (experiment.grid) return SimulateGrid(experiment, options);
  CAIRN_ASSIGN_OR_RETURN(const Results results, RunExperiment(experiment, options.out));
  PrintResults(results, options.out);
  return absl::OkStatus();
}

}  // namespace

void AddSimulate(CLI::App& app) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command = app.add_subcommand("simulate", "Run an experiment: trainer processes against a real server");
  command->footer(
      "Examples:\n"
      "  cairn simulate examples/licenses.yaml\n"
      "  cairn simulate examples/attacks.yaml --out out_attacks      rules against attacks\n"
      "  cairn simulate examples/licenses.yaml --data my_texts --rounds 5 --out my_out\n"
      "my_texts has one sub-folder of text files per client, or per domain of a grid.");
  command->add_option("file", options->file, "The experiment (YAML)")->required();
  command->add_option("--data", options->data, "Other text: a directory with one sub-folder per client or domain");
  command->add_option("--out", options->out, "Where the report, the adapter and the logs go")->capture_default_str();
  command->add_option("--rounds", options->rounds, "Instead of the file's")->check(CLI::Range(1, 1'000'000));
  CLI::Option* seed =
      command->add_option("--seed", options->seed, "Instead of the file's; of a grid, of its cells alone");
  command->add_option("--workers", options->workers, "Processes that run the cells of a grid; 0: one a processor")
      ->check(CLI::Range(0, 1024));
  command->callback([options, seed] {
    options->seed_given = seed->count() > 0;
    const absl::Status status = Simulate(*options);
    Conclude("simulate", status, absl::IsCancelled(status) ? kExitInterrupted : 1);
  });
}

}  // namespace cairn
