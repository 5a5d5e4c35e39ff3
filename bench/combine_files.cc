#include "bench/combine_files.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/combine_child.h"
#include "bench/combine_cohort.h"
#include "bench/combine_contenders.h"
#include "bench/median.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kClientsMax = 100;
constexpr int kClients[] = {10, kClientsMax};
constexpr double kMB = 1e6;

struct Contender {
  const char* name;
  absl::Status (*run)(const CombineJob&);
  std::vector<double> seconds;
  std::uint64_t start = 0, peak = 0;  // Resident, in the repetition with the highest peak.
};

// What a rule may cost.
struct Goal {
  const char* rule;
  double copies;   // Times the copy's duration.
  double outputs;  // Times the output's size, in memory; 0: no goal.
};
constexpr Goal kGoals[] = {{"stack", 1.5, 0}, {"mean", 2.0, 1.2}};

absl::Status RunOnce(Contender& contender, const CombineJob& job, bool counts) {
  const auto run = [&](std::vector<double>&) { return contender.run(job); };
  const absl::StatusOr<ChildResult> result = MeasureInChild(run);
  if (!result.ok()) {
    return absl::Status(result.status().code(), absl::StrCat(contender.name, ": ", result.status().message()));
  }
  if (!counts) return absl::OkStatus();
  contender.seconds.push_back(result->seconds);
  if (result->resident_peak > contender.peak) {
    contender.peak = result->resident_peak;
    contender.start = result->resident_start;
  }
  return absl::OkStatus();
}

// Interleaved; the first round only warms up. Returns the size of Cairn's output.
absl::StatusOr<std::uint64_t> Race(std::vector<Contender>& contenders, const CombineJob& job, int repetitions) {
  std::uint64_t output = 0;
  for (int repetition = -1; repetition < repetitions; ++repetition) {
    for (Contender& contender : contenders) {
      CAIRN_RETURN_IF_ERROR(RunOnce(contender, job, repetition >= 0));
      std::error_code error;
      if (contender.run == CombineWithCairn) output = fs::file_size(job.out, error);
      fs::remove(job.out, error);
    }
  }
  return output;
}

double MedianRatio(const Contender& contender, const Contender& copy) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < copy.seconds.size(); ++i) ratios.push_back(contender.seconds[i] / copy.seconds[i]);
  return Median(ratios);
}

std::string Against(double value, double goal) {
  if (goal == 0) return "";
  return absl::StrFormat("<= %.1f %s", goal, value <= goal ? "yes" : "NO");
}

void AddRows(const std::vector<Contender>& contenders, const CombineJob& job, const Goal& goal, double input,
             double output, std::vector<std::vector<std::string>>& table) {
  for (const Contender& contender : contenders) {
    const bool ours = contender.run == CombineWithCairn;
    const double seconds = Median(contender.seconds), ratio = MedianRatio(contender, contenders.front());
    const double above = static_cast<double>(contender.peak - contender.start);
    table.push_back({absl::StrCat(goal.rule, " ", job.inputs.size(), " ", NameOf(job.dtype), ": ", contender.name),
                     absl::StrFormat("%.3f", seconds), absl::StrFormat("%.2f", input / seconds / 1e9),
                     absl::StrFormat("%.2f", ratio), Against(ratio, ours ? goal.copies : 0),
                     absl::StrFormat("%.0f", static_cast<double>(contender.peak) / kMB),
                     absl::StrFormat("%.1f", above / kMB), absl::StrFormat("%.2f", above / output),
                     Against(above / output, ours ? goal.outputs : 0)});
  }
}

absl::Status MeasureJob(CombineJob job, const Goal& goal, int repetitions,
                        std::vector<std::vector<std::string>>& table) {
  job.rule = goal.rule;
  double input = 0;
  for (const fs::path& directory : job.inputs) {
    input += static_cast<double>(fs::file_size(directory / "adapter_model.safetensors"));
  }
  std::vector<Contender> contenders = {
      {"copy", CopyBytes}, {"cairn", CombineWithCairn}, {"libtorch", CombineWithTorch}};
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t output, Race(contenders, job, repetitions));
  AddRows(contenders, job, goal, input, static_cast<double>(output), table);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureFiles(const fs::path& directory, int repetitions, int threads) {
  std::vector<std::vector<std::string>> table = {
      {"rule, adapters, type", "s", "GB/s", "x copy", "goal", "peak MB", "above start", "x output", "goal"}};
  for (const DType dtype : {DType::kBF16, DType::kF32}) {
    const fs::path inputs = directory / "clients";
    CAIRN_ASSIGN_OR_RETURN(const std::vector<fs::path> cohort, WriteCohort(inputs, kClientsMax, dtype));
    for (const int clients : kClients) {
      CombineJob job{{cohort.begin(), cohort.begin() + clients}, directory / "out", "", dtype, threads};
      for (const Goal& goal : kGoals) CAIRN_RETURN_IF_ERROR(MeasureJob(job, goal, repetitions, table));
    }
    fs::remove_all(inputs);
  }
  std::printf("\nAdapters of rank %d on %d modules of %d x %d, %d thread%s, medians of %d:\n", int{kLlamaRank},
              int{kLlamaModules}, int{kLlamaDim}, int{kLlamaDim}, threads, threads == 1 ? "" : "s", repetitions);
  std::fputs(FormatTable(table, Align::kRight).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace cairn::bench
