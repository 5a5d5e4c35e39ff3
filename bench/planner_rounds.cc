#include "bench/planner_rounds.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/median.h"
#include "bench/planner_costs.h"
#include "bench/planner_policies.h"

namespace cairn::bench {
namespace {

constexpr Policy kPolicies[] = {Policy::kPlanner, Policy::kLeastConnection, Policy::kLeastConnectionInZone,
                                Policy::kRoundRobin};
constexpr std::size_t kBaseline = 1;  // Least connection.

struct Column {
  std::string name;
  std::function<double(const RoundsResult&)> value;
  const char* format;
};

const std::vector<Column>& Columns() {
  static const std::vector<Column> columns = {
      {"makespan s", [](const RoundsResult& r) { return r.last.makespan; }, "%.1f"},
      {"tail s", [](const RoundsResult& r) { return r.last.makespan - r.last.stored; }, "%.1f"},
      {"CPU s", [](const RoundsResult& r) { return r.cpu_seconds; }, "%.0f"},
      {"GB between nodes", [](const RoundsResult& r) { return 1e-9 * r.last.bytes_between_nodes; }, "%.1f"},
      {"GB between zones", [](const RoundsResult& r) { return 1e-9 * r.last.bytes_between_zones; }, "%.1f"},
      {"worker s", [](const RoundsResult& r) { return r.last.worker_seconds; }, "%.0f"},
      {"first round s", [](const RoundsResult& r) { return r.first_makespan; }, "%.1f"},
      {"nodes", [](const RoundsResult& r) { return static_cast<double>(r.last.machines_used); }, "%.0f"},
      {"leaves", [](const RoundsResult& r) { return static_cast<double>(r.leaves); }, "%.0f"},
      {"started", [](const RoundsResult& r) { return static_cast<double>(r.started); }, "%.0f"},
      {"moved", [](const RoundsResult& r) { return static_cast<double>(r.moved); }, "%.0f"},
  };
  return columns;
}

std::string Number(const char* format, double value) {
  return absl::StrFormat(*absl::ParsedFormat<'f'>::New(format), value);
}

using Results = std::vector<std::vector<RoundsResult>>;  // By policy and seed.

std::vector<double> Values(const Column& column, const std::vector<RoundsResult>& results) {
  std::vector<double> values;
  for (const RoundsResult& result : results) values.push_back(column.value(result));
  return values;
}

void PrintMedians(const Results& results) {
  std::vector<std::vector<std::string>> rows(1, {"median"});
  for (const Column& column : Columns()) rows[0].push_back(column.name);
  for (std::size_t p = 0; p < results.size(); ++p) {
    rows.push_back({NameOf(kPolicies[p])});
    for (const Column& column : Columns()) {
      rows.back().push_back(Number(column.format, Median(Values(column, results[p]))));
    }
  }
  std::printf("%s\n", FormatTable(rows, Align::kRight).c_str());
}

// "0.92 (0.90 .. 0.95)" of least connection, seed by seed.
std::string Ratio(const Column& column, const std::vector<RoundsResult>& results,
                  const std::vector<RoundsResult>& baseline) {
  std::vector<double> ratios;
  for (std::size_t seed = 0; seed < results.size(); ++seed) {
    ratios.push_back(column.value(results[seed]) / column.value(baseline[seed]));
  }
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  return absl::StrFormat("%.2f (%.2f .. %.2f)", Median(ratios), *low, *high);
}

void PrintRatios(const Results& results) {
  constexpr std::size_t kCompared = 7;  // Columns that everybody has something in.
  std::vector<std::vector<std::string>> rows(1, {"of least connection"});
  for (std::size_t c = 0; c < kCompared; ++c) rows[0].push_back(Columns()[c].name);
  for (std::size_t p = 0; p < results.size(); ++p) {
    if (p == kBaseline) continue;
    rows.push_back({NameOf(kPolicies[p])});
    for (std::size_t c = 0; c < kCompared; ++c) {
      rows.back().push_back(Ratio(Columns()[c], results[p], results[kBaseline]));
    }
  }
  std::printf("%s\n", FormatTable(rows, Align::kRight).c_str());
}

struct Scenario {
  const char* name;
  Arrivals arrivals;
  double window_factor;
  double slow;
};
// The third asks for more than the nodes have.
constexpr Scenario kScenarios[] = {{"Poisson arrivals", Arrivals::kPoisson, 1, 1},
                                   {"Bursts", Arrivals::kBursts, 1, 1},
                                   {"A rush", Arrivals::kPoisson, 1.0 / 6, 1},
                                   {"Bursts, folds ten times as long", Arrivals::kBursts, 1, kSlowFold}};

absl::StatusOr<Results> Simulate(const RoundsOptions& options, const Scenario& scenario) {
  Results results(std::size(kPolicies));
  for (int seed = 1; seed <= options.seeds; ++seed) {
    const World world = MakeWorld(options.nodes, options.clients, seed, scenario.slow);
    const Course course{scenario.arrivals, options.window * scenario.window_factor, options.rounds,
                        static_cast<std::uint64_t>(seed)};
    for (std::size_t p = 0; p < results.size(); ++p) {
      CAIRN_ASSIGN_OR_RETURN(RoundsResult result, SimulateRounds(world, kPolicies[p], course));
      results[p].push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace

absl::Status PrintRounds(const RoundsOptions& options) {
  std::printf("Round %d of %d clients on %d nodes, simulated; medians of %d seeds, ratios with min .. max.\n",
              options.rounds, options.clients, options.nodes, options.seeds);
  std::printf("CPU s: of a round, in the mean, with starts of workers. started, moved: in all rounds.\n");
  for (const Scenario& scenario : kScenarios) {
    std::printf("\n%s, uploads begin within %.0f s\n\n", scenario.name, options.window * scenario.window_factor);
    CAIRN_ASSIGN_OR_RETURN(const Results results, Simulate(options, scenario));
    PrintMedians(results);
    PrintRatios(results);
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
