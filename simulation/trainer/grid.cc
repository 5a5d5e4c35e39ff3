// cairn-trainer grid: runs small federations, attackers among them, in this process: one for each line of standard
// input, with a line of standard output for what came of it.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "simulation/data/corpus.h"
#include "simulation/grid/cell_lines.h"
#include "simulation/trainer/cell_runner.h"
#include "simulation/trainer/commands.h"
#include "simulation/trainer/local_options.h"
#include "simulation/trainer/mixture.h"

namespace cairn {
namespace {

// Of each domain's held-out text: the same in all cells, so that their scores can be compared.
constexpr std::size_t kScoredBytes = 2048;

struct GridOptions {
  std::filesystem::path base, data;
  std::vector<std::string> domains;
  CellSettings settings;
};

absl::StatusOr<CellRunner> Load(const GridOptions& options) {
  CellSettings settings = options.settings;
  CAIRN_ASSIGN_OR_RETURN(settings.base, LoadWeights(options.base));
  for (const std::string& domain : options.domains) {
    const auto part = [&](const char* name) { return options.data / absl::StrCat(domain, name); };
    CAIRN_ASSIGN_OR_RETURN(settings.train.emplace_back(), ReadFile(part(".train.txt"), kCorpusBytesMax));
    CAIRN_ASSIGN_OR_RETURN(const std::string held_out, ReadFile(part(".held_out.txt"), kCorpusBytesMax));
    settings.held_out.push_back(EvenSample(held_out, kScoredBytes));
    if (settings.train.back().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(part(".train.txt").string(), ": expected text, got nothing"));
    }
  }
  return CellRunner(std::move(settings), MakeAttack);
}

absl::Status RunCells(const GridOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(CellRunner runner, Load(options));
  for (std::string line; std::getline(std::cin, line);) {
    CAIRN_ASSIGN_OR_RETURN(const CellRequest request, ParseCellRequest(line));
    const std::string answer = ToLine(CellAnswer{request.id, runner.Run(request.cell)}) + "\n";
    std::fwrite(answer.data(), 1, answer.size(), stdout);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace

void AddGrid(CLI::App& app, Command& run) {
  auto options = std::make_shared<GridOptions>();
  CLI::App* command = app.add_subcommand("grid", "Run small federations with attackers, one for each line of input");
  command->footer(
      "Example:\n  echo '{\"rule\": \"krum:f=2\", \"attack\": \"alie\", \"faulty\": 2, \"concentration\": \"0.1\", "
      "\"seed\": 1}' |\n    cairn-trainer grid --base out/base.safetensors --data out/data --domain gpl --domain mpl");
  CellSettings& settings = options->settings;
  command->add_option("--base", options->base, "The base model")->required();
  command->add_option("--data", options->data, "Directory of NAME.train.txt and NAME.held_out.txt")->required();
  command->add_option("--domain", options->domains, "Such a NAME; once for each")->required();
  command->add_option("--participants", settings.participants, "Of each federation, attackers among them")
      ->check(CLI::Range(std::size_t{1}, limits::kCohortClientsMax));
  command->add_option("--rank", settings.ranks, "LoRA ranks, taken in turn; once for each")
      ->check(CLI::Range(std::int64_t{1}, limits::kRankMax));
  command->add_option("--rounds", settings.rounds, "Rounds of --steps each")->check(CLI::Range(1, 1'000'000));
  AddTrainOptions(*command, settings.training);
  command->callback([&run, options] { run = [options] { return RunCells(*options); }; });
}

}  // namespace cairn
