#include "bench/robust_dense.h"

#include <cstdio>
#include <exception>
#include <utility>

#include "absl/strings/str_format.h"
#include "aggregators/rule.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/median.h"
#include "bench/resident.h"
#include "bench/robust_floor.h"
#include "bench/robust_jobs.h"
#include "bench/robust_literal.h"
#include "bench/seconds.h"

namespace cairn::bench {
namespace {

constexpr double kGramGoal = 3;                // Times two reads, of rules that weigh, up to 16 columns.
constexpr double kFewGoal = 3, kManyGoal = 6;  // Times one read, of rules that look at coordinates.
constexpr double kFlagGoal = 50;               // Times faster than the literal one.
constexpr std::int64_t kFewColumns = 16;
constexpr double kLongSeconds = 10;  // What takes longer is not repeated.

struct Contender {
  RuleJob job;
  bool one_read = false;                    // Looks at every coordinate of all columns, and at nothing before.
  std::vector<double> weigh, combine, all;  // Seconds.
  std::vector<double> reads;                // All of it, in units of one read.
  std::vector<double> literal;              // Seconds.
  std::string refused;                      // What the rule says where it does not take so many updates.
  std::string no_literal;                   // Why not.
};

bool TakesOneRead(const RuleJob& job) {
  const auto rule = MakeRule(job.rule);
  return rule.ok() && (*rule)->coordinate_wise() && !(*rule)->needs().gram;
}

absl::StatusOr<std::string> WhyNoLiteral(const RuleJob& job, const DenseColumns& columns) {
  const auto found = LiteralRules().find(job.name);
  if (found == LiteralRules().end()) return "-";
  const double factor = found->second.pairs ? static_cast<double>(columns.columns()) : 1;
  const double needed = found->second.copies * factor * static_cast<double>(columns.bytes());
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t available, AvailableMemory());
  if (needed < static_cast<double>(available)) return "";
  return absl::StrFormat("needs %.0f GB", needed / 1e9);
}

// Whether it has been measured, and takes too long for more.
bool IsDone(const std::vector<double>& seconds) { return !seconds.empty() && seconds[0] >= kLongSeconds; }

absl::Status RunOnce(Contender& contender, const DenseColumns& columns, const DenseOptions& options, bool counts) {
  const double read = CopySeconds(columns.bytes(), options.threads) / 2;
  const absl::StatusOr<RuleSeconds> seconds = RunRule(contender.job, columns, options.threads);
  if (absl::IsInvalidArgument(seconds.status())) {
    contender.refused = std::string(seconds.status().message());
    return absl::OkStatus();
  }
  CAIRN_RETURN_IF_ERROR(seconds.status());
  if (!counts && seconds->all() < kLongSeconds) return absl::OkStatus();
  contender.weigh.push_back(seconds->weigh);
  contender.combine.push_back(seconds->combine);
  contender.all.push_back(seconds->all());
  contender.reads.push_back(seconds->all() / read);
  return absl::OkStatus();
}

void RunLiteral(Contender& contender, const at::Tensor& x, std::int64_t faulty, bool counts) {
  const double seconds = Seconds([&] { LiteralRules().at(contender.job.name).run(x, faulty); });
  if (counts || seconds >= kLongSeconds) contender.literal.push_back(seconds);
}

// Interleaved; the first round only warms up, but for what takes too long to be repeated.
absl::Status Race(std::vector<Contender>& contenders, DenseColumns& columns, const DenseOptions& options) {
  const at::Tensor x = at::from_blob(columns.values(), {columns.columns(), columns.elements()}, at::kFloat);
  for (int repetition = -1; repetition < options.repetitions; ++repetition) {
    for (Contender& contender : contenders) {
      if (!contender.refused.empty()) continue;
      if (!IsDone(contender.all)) CAIRN_RETURN_IF_ERROR(RunOnce(contender, columns, options, repetition >= 0));
      const bool literal = options.literal && contender.no_literal.empty();
      if (literal && !IsDone(contender.literal)) RunLiteral(contender, x, options.faulty, repetition >= 0);
    }
  }
  return absl::OkStatus();
}

std::string Against(double value, double goal) {
  return absl::StrFormat("<= %.0f %s", goal, value <= goal ? "yes" : "NO");
}

// How many times the least that reading takes; and what was aimed at.
std::pair<double, std::string> TimesFloor(const Contender& contender, std::int64_t columns) {
  const double reads = Median(contender.reads), ratio = contender.one_read ? reads : reads / 2;
  if (contender.one_read) return {ratio, Against(ratio, columns <= kFewColumns ? kFewGoal : kManyGoal)};
  return {ratio, columns <= kFewColumns ? Against(ratio, kGramGoal) : ""};
}

std::string Milliseconds(const std::vector<double>& seconds) { return absl::StrFormat("%.1f", 1e3 * Median(seconds)); }

std::vector<std::string> Row(const Contender& contender, std::int64_t columns) {
  if (!contender.refused.empty()) return {contender.job.name, "-"};
  const auto [ratio, goal] = TimesFloor(contender, columns);
  std::vector<std::string> row = {
      contender.job.name,          Milliseconds(contender.weigh),  Milliseconds(contender.combine),
      Milliseconds(contender.all), absl::StrFormat("%.2f", ratio), goal};
  if (contender.literal.empty()) {
    row.push_back(contender.no_literal);
    return row;
  }
  const double faster = Median(contender.literal) / Median(contender.all);
  row.push_back(Milliseconds(contender.literal));
  row.push_back(absl::StrFormat("%.1f", faster));
  if (contender.job.name == "flag") {
    row.push_back(absl::StrFormat(">= %.0f %s", kFlagGoal, faster >= kFlagGoal ? "yes" : "NO"));
  }
  return row;
}

// After what was measured.
void PrintHeading(const DenseColumns& columns, const DenseOptions& options) {
  std::vector<double> reads;
  for (int i = 0; i < options.repetitions; ++i) reads.push_back(CopySeconds(columns.bytes(), options.threads) / 2);
  const double read = Median(reads);
  std::printf(
      "\n%d updates of %.1f million float32 values, f = %d, %d threads. One read, half the time of a copy: %.1f ms "
      "(%.1f GB/s).\nFloor: two reads for rules that weigh, one for those that look at coordinates only.\n",
      static_cast<int>(columns.columns()), static_cast<double>(columns.elements()) / 1e6,
      static_cast<int>(options.faulty), options.threads, 1e3 * read, static_cast<double>(columns.bytes()) / read / 1e9);
}

absl::Status MeasureColumns(std::int64_t count, const DenseOptions& options) {
  DenseColumns columns(count, options.elements, options.faulty);
  std::vector<Contender> contenders;
  for (const RuleJob& job : AllJobs(count, options.faulty, options.only)) {
    CAIRN_ASSIGN_OR_RETURN(const std::string no_literal, WhyNoLiteral(job, columns));
    contenders.push_back({.job = job, .one_read = TakesOneRead(job), .no_literal = no_literal});
  }
  CAIRN_RETURN_IF_ERROR(Race(contenders, columns, options));
  std::vector<std::vector<std::string>> table = {
      {"rule", "weigh, ms", "combine, ms", "all, ms", "x floor", "goal", "literal, ms", "x faster", "goal"}};
  for (const Contender& contender : contenders) table.push_back(Row(contender, count));
  PrintHeading(columns, options);
  std::fputs(FormatTable(table, Align::kRight).c_str(), stdout);
  for (const Contender& contender : contenders) {
    if (!contender.refused.empty()) std::printf("%s: %s\n", contender.job.name.c_str(), contender.refused.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureDense(const DenseOptions& options) {
  try {
    for (const std::int64_t count : options.columns) CAIRN_RETURN_IF_ERROR(MeasureColumns(count, options));
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace cairn::bench
