// Kills the server and its clients at random moments of a federation, and expects that nothing of it can be seen in
// the end: the same published bytes, every receipt once, nothing left over.
//
//   kill_test --kills 200 --seed 1
//
// Each line of output names the seed of its run; `--seed THAT --kills 1` draws the same kills again, as far as the
// timing of the machine allows.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/test_directory.h"
#include "tests/faults/federation_run.h"
#include "tests/faults/outcome.h"
#include "tests/faults/scenario.h"

namespace cairn::faults {
namespace {

struct Flags {
  int kills = 10;
  int kills_per_run = 5;
  std::uint64_t seed = 1;
};

struct Undisturbed {
  Scenario scenario;
  Outcome outcome;
  absl::Duration duration;
};

struct Total {
  int runs = 0, kills = 0, server_kills = 0, in_uploads = 0, in_publishing = 0;
};

std::string NameOf(const Scenario& scenario) { return absl::StrCat(scenario.combine, " ", scenario.rule); }

absl::StatusOr<Undisturbed> RunUndisturbed(const Scenario& scenario) {
  const TestDirectory directory;
  FederationRun run(directory.path(), scenario);
  CAIRN_RETURN_IF_ERROR(run.Run({}));
  Undisturbed undisturbed{scenario};
  undisturbed.duration = run.duration();
  CAIRN_ASSIGN_OR_RETURN(undisturbed.outcome, ReadOutcome(run.data_dir()));
  // Per version: config and tensors. Besides, adapters by digest: a whole each and, when rounds merge, a delta, which
  // for the first version is the same. Of each client's history config and tensors of the
  // last two versions.
  const std::size_t adapters = scenario.has_deltas ? kRounds * 2 - 1 : kRounds;
  const std::size_t histories = scenario.keeps_history ? kRanks.size() * 2 * 2 : 0;
  const std::size_t files = kRounds * 2 + adapters + histories, receipts = kRounds * kRanks.size();
  if (undisturbed.outcome.size() == files + receipts + 1) return undisturbed;
  return absl::InternalError(absl::StrCat("the undisturbed run left ", undisturbed.outcome.size(), " things, expected ",
                                          files + receipts + 1));
}

absl::Status RunDisturbed(const Undisturbed& undisturbed, const Flags& flags, std::uint64_t seed, Total& total,
                          const std::filesystem::path& directory) {
  FederationRun run(directory, undisturbed.scenario);
  const absl::Status ended = run.Run(RandomKills(seed, flags.kills_per_run, undisturbed.duration));
  ++total.runs;
  total.kills += run.kills_done();
  total.server_kills += run.server_kills();
  total.in_uploads += run.kills_in_uploads();
  total.in_publishing += run.kills_in_publishing();
  std::printf("run %3d  %-31s  seed %llu  kills: %d server, %d client  %.1f s", total.runs,
              NameOf(undisturbed.scenario).c_str(), static_cast<unsigned long long>(seed), run.server_kills(),
              run.kills_done() - run.server_kills(), absl::ToDoubleSeconds(run.duration()));
  CAIRN_RETURN_IF_ERROR(ended);
  CAIRN_ASSIGN_OR_RETURN(const Outcome outcome, ReadOutcome(run.data_dir()));
  return CheckSame(undisturbed.outcome, outcome);
}

// Leaves the directory of the first run that fails.
absl::Status RunAll(const Flags& flags) {
  const absl::Time start = absl::Now();
  std::vector<Undisturbed> undisturbed;
  for (const Scenario& scenario : kScenarios) {
    CAIRN_ASSIGN_OR_RETURN(undisturbed.emplace_back(), RunUndisturbed(scenario));
    std::printf("undisturbed, %s: %.1f s; version %llu is %s\n", NameOf(scenario).c_str(),
                absl::ToDoubleSeconds(undisturbed.back().duration), static_cast<unsigned long long>(kRounds),
                undisturbed.back().outcome.at("published v00003/adapter_model.safetensors").c_str());
  }
  Total total;
  for (std::uint64_t seed = flags.seed; total.kills < flags.kills; ++seed) {
    auto directory = std::make_unique<TestDirectory>();
    const Undisturbed& same = undisturbed[seed % undisturbed.size()];
    const absl::Status status = RunDisturbed(same, flags, seed, total, directory->path());
    std::printf("  %s\n", status.ok() ? "same bytes" : "FAILED");
    std::fflush(stdout);
    if (status.ok()) continue;
    std::printf("see %s\n", directory.release()->path().c_str());
    return status;
  }
  std::printf(
      "%d kills in %d runs, %.0f s: %d of clients, %d of the server, of which %d during uploads and %d during "
      "publishing.\nThe published bytes were the same every time.\n",
      total.kills, total.runs, absl::ToDoubleSeconds(absl::Now() - start), total.kills - total.server_kills,
      total.server_kills, total.in_uploads, total.in_publishing);
  return absl::OkStatus();
}

}  // namespace
}  // namespace cairn::faults

int main(int argc, char** argv) {
  cairn::faults::Flags flags;
  CLI::App app("Kills processes of a federation at random moments and checks that the result is the same");
  app.add_option("--kills", flags.kills, "Run federations until this many kills are done")->capture_default_str();
  app.add_option("--kills-per-run", flags.kills_per_run, "Kills in each federation, at most")->capture_default_str();
  app.add_option("--seed", flags.seed, "Of the first run; the others count on")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = cairn::faults::RunAll(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "kill_test: %s\n", status.ToString().c_str());
  return 1;
}
