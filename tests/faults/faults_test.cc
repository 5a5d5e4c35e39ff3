// Long-lived federations in which each round draws its faults from a seed; after each the published bytes are those
// that an undisturbed process makes of exactly the acknowledged updates, and nothing is left over.
//
//   faults_test --rounds 1000 --seed 1 --durability memory --workers 3
//   faults_test --rounds 1000 --seed 1 --nodes 2
//   faults_test --points
//
// Each line names the round's own seed: `--seed THAT --rounds 1` draws its faults again, as far as the timing of the
// machine allows. docs/operations.md says which promise each fault tries,
// docs/failpoints.md what the faults are.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/test_directory.h"
#include "tests/faults/faulty_round.h"
#include "tests/faults/plan.h"

namespace cairn::faults {
namespace {

constexpr int kNodesMost = 16;
constexpr int kLinesMost = 200;  // Beyond, a line for many rounds.
constexpr int kRoundsPerLine = 25;
constexpr int kWorkersOfOne = 2;
constexpr int kTriesMost = 40;  // Until a point was reached: who merges, and when, is for the workers to find out.

struct Flags {
  int rounds = 100;
  double minutes = 0;
  std::uint64_t seed = 1;
  std::string durability = "durable";
  std::size_t nodes = 0;
  std::optional<int> workers;
  bool points = false;
  bool durable() const { return durability == "durable"; }
};

// "4 updates", and what was lost of others.
std::string UpdatesText(const Checked& checked) {
  return absl::StrCat(checked.contributors, " updates", checked.lost > 0 ? ", lost with a node " : "",
                      checked.lost > 0 ? absl::StrCat(checked.lost) : "");
}

void PrintRound(int number, const Plan& plan, const RoundResult& result) {
  std::printf("round %4d  %-8s v%-4llu seed %-20llu %s, same bytes, %.2f s: %s\n", number,
              kSmallFederations[plan.federation].name, static_cast<unsigned long long>(result.round),
              static_cast<unsigned long long>(plan.seed), UpdatesText(result.checked).c_str(),
              absl::ToDoubleSeconds(result.took), absl::StrJoin(result.done, ", ").c_str());
  std::fflush(stdout);
}

// Which are the run's, and not a round's.
void PrintWorkers(const Deployment& deployment) {
  std::vector<std::string> counts;
  for (std::size_t i = 0; i < deployment.size(); ++i) {
    const FaultyServer& server = deployment.server(i);
    counts.push_back(server.Label(absl::StrCat(server.workers())));
  }
  std::printf("workers at first: %s\n", absl::StrJoin(counts, ", ").c_str());
}

absl::Status RunSchedule(FaultyFederations& all, const Flags& flags) {
  PrintWorkers(all.deployment());
  const absl::Time start = absl::Now();
  const absl::Duration time = flags.minutes > 0 ? absl::Minutes(flags.minutes) : absl::InfiniteDuration();
  int done = 0, faults = 0;
  for (; done < flags.rounds && absl::Now() - start < time; ++done) {
    const Plan plan = DrawPlan(RoundSeed(flags.seed, static_cast<std::uint64_t>(done)), flags.durable(), flags.nodes);
    CAIRN_ASSIGN_OR_RETURN(const RoundResult result, all.Run(plan));
    faults += static_cast<int>(plan.faults.size());
    if (flags.rounds <= kLinesMost || (done + 1) % kRoundsPerLine == 0) PrintRound(done + 1, plan, result);
  }
  CAIRN_RETURN_IF_ERROR(all.Finish());
  std::printf("%d rounds with %d faults, %s, %zu nodes, seed %llu, %.0f s:\n", done, faults, flags.durability.c_str(),
              flags.nodes, static_cast<unsigned long long>(flags.seed), absl::ToDoubleSeconds(absl::Now() - start));
  for (const auto& [kind, count] : all.totals()) std::printf("  %5d %s\n", count, kind.c_str());
  for (const std::string& why : Skipped(flags.durable())) std::printf("  not here: %s\n", why.c_str());
  std::printf("No update was lost or counted twice, no byte differed, nothing leaked.\n");
  return absl::OkStatus();
}

// One action of one point, in as many rounds as it takes until it has been done.
absl::Status TryPoint(FaultyFederations& all, const Point& point, const std::string& action) {
  // Where folding takes a while, another worker joins in, and there is something to merge.
  const bool merges = absl::StrContains(point.name, "merge");
  FaultyServer& server = point.of_root ? all.deployment().root() : all.deployment().gateway(0);
  CAIRN_RETURN_IF_ERROR(
      server.RestartWith(absl::StrCat(point.name, "=", action, merges ? ";worker.in_fold=sleep:20" : "")));
  for (int tries = 1; tries <= kTriesMost; ++tries) {
    Plan plan{.clients = kClients};
    if (point.combines) plan.federation = kCombinedFederation;
    if (merges) plan.placements = {};  // All in one place.
    CAIRN_ASSIGN_OR_RETURN(const RoundResult result, all.Run(plan));
    if (!server.Fired(point.name)) continue;
    std::printf("%-32s %-5s in round %d, same bytes, %.2f s\n", point.name, action.c_str(), tries,
                absl::ToDoubleSeconds(result.took));
    std::fflush(stdout);
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(point.name, "=", action, ": not reached in ", kTriesMost, " rounds"));
}

absl::Status RunPoints(FaultyFederations& all, const Flags& flags) {
  const absl::Time start = absl::Now();
  int done = 0;
  for (const Point& point : kPoints) {
    if ((point.durable_only && !flags.durable()) || (point.nodes_only && flags.nodes == 0)) continue;
    CAIRN_RETURN_IF_ERROR(TryPoint(all, point, "kill"));
    if (point.of_worker) CAIRN_RETURN_IF_ERROR(TryPoint(all, point, "stop"));
    done += point.of_worker ? 2 : 1;
  }
  CAIRN_RETURN_IF_ERROR(all.Finish());
  std::printf("%d kills and stops at %zu points, %s, %.0f s: the same bytes, and nothing leaked.\n", done,
              kPoints.size(), flags.durability.c_str(), absl::ToDoubleSeconds(absl::Now() - start));
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags, const std::filesystem::path& directory) {
  std::optional<int> workers = flags.workers;
  if (flags.nodes == 0 || flags.points) workers = workers.value_or(kWorkersOfOne);
  const std::optional<bool> reads = flags.points ? std::make_optional(true) : std::nullopt;  // All points are come by.
  FaultyFederations all(directory, {flags.durable(), flags.nodes, workers, flags.seed, reads});
  CAIRN_RETURN_IF_ERROR(all.Start());
  return flags.points ? RunPoints(all, flags) : RunSchedule(all, flags);
}

}  // namespace
}  // namespace cairn::faults

int main(int argc, char** argv) {
  cairn::faults::Flags flags;
  CLI::App app("Federations with random faults: the promises of docs/operations.md, tried");
  app.add_option("--rounds", flags.rounds, "Rounds with faults")->capture_default_str();
  app.add_option("--minutes", flags.minutes, "At most so long; 0: as long as it takes")->capture_default_str();
  app.add_option("--seed", flags.seed, "Of the schedule, or of one round to be drawn again")->capture_default_str();
  app.add_option("--durability", flags.durability, "durable or memory")
      ->check(CLI::IsMember({"durable", "memory"}))
      ->capture_default_str();
  app.add_option("--nodes", flags.nodes, "Gateways of a root; 0: one server without any")
      ->check(CLI::Range(0, cairn::faults::kNodesMost))
      ->capture_default_str();
  app.add_option("--workers", flags.workers,
                 "Processes that each server starts with. Default 2, or with nodes as the seed has it");
  app.add_flag("--points", flags.points, "Instead: each failpoint once");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::warn);  // Of what this process publishes to compare.
  auto directory = std::make_unique<cairn::TestDirectory>();
  const absl::Status status = cairn::faults::Run(flags, directory->path());
  if (status.ok()) return 0;
  std::printf("FAILED: %s\nsee %s\n", status.ToString().c_str(), directory.release()->path().c_str());
  return 1;
}
