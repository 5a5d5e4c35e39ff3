// The planner beside load balancers in simulated rounds, and how long it takes to plan. docs/planner.md explains the
// tables.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/limits.h"
#include "base/status_macros.h"
#include "bench/planner_rounds.h"
#include "bench/planner_time.h"

namespace cairn::bench {
namespace {

struct Flags {
  std::string only;
  RoundsOptions rounds;
  int repetitions = 21;
};

absl::Status Run(const Flags& flags) {
  if (flags.only != "time") CAIRN_RETURN_IF_ERROR(PrintRounds(flags.rounds));
  if (flags.only == "rounds") return absl::OkStatus();
  return PrintPlanningTime(flags.rounds.clients, flags.rounds.nodes, flags.repetitions);
}

int Main(const Flags& flags) {
  const absl::Status status = Run(flags);
  if (!status.ok()) std::fprintf(stderr, "planner_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  CLI::App app("The planner beside load balancers in simulated rounds, and how long it takes to plan");
  cairn::bench::Flags flags;
  app.add_option("--only", flags.only, "Only this part")->check(CLI::IsMember({"rounds", "time"}));
  app.add_option("--clients", flags.rounds.clients, "Of a round")
      ->check(CLI::Range(1, static_cast<int>(cairn::limits::kCohortClientsMax)))
      ->capture_default_str();
  app.add_option("--nodes", flags.rounds.nodes, "Of the tree")
      ->check(CLI::Range(1, static_cast<int>(cairn::limits::kTreeNodesMax)))
      ->capture_default_str();
  app.add_option("--seeds", flags.rounds.seeds, "Worlds")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--rounds", flags.rounds.rounds, "Before and with the one that is shown")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--window", flags.rounds.window, "Seconds in which uploads begin")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--repetitions", flags.repetitions, "Of each plan that is timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return cairn::bench::Main(flags);
}
