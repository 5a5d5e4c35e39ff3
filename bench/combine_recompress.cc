#include "bench/combine_recompress.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "aggregators/kernels/recompress.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/combine_child.h"
#include "bench/combine_cohort.h"
#include "bench/combine_stock.h"
#include "bench/median.h"
#include "bench/seconds.h"

namespace cairn::bench {
namespace {

constexpr std::int64_t kRank = 16;  // To which is compressed.
constexpr int kStockModules = 4;    // With the stock way too, and with errors.
constexpr int kClients[] = {10, 100};
constexpr double kSpeedGoal = 5;     // At 100 clients.
constexpr double kErrorGoal = 1.01;  // Times the optimum.

// Seconds of every module, and what the first ones say of the stock way and of errors.
struct Outcome {
  std::vector<double> ours, stock;
  double optimal = 0, error = 0, stock_error = 0, worst = 0;  // Relative errors; `worst` is error / optimum.

  double stock_whole() const { return Median(stock) * kLlamaModules; }
  double ours_whole() const { return std::accumulate(ours.begin(), ours.end(), 0.0); }
};

absl::StatusOr<LowRankFactors> Recompress(const StackedModule& module, const std::string& device) {
  const kernels::FactorPair<float> pair{module.a, module.b, kLlamaDim, module.rank, kLlamaDim};
  CAIRN_ASSIGN_OR_RETURN(kernels::LowRank cut, kernels::Recompress(pair, kernels::Cut::Rank(kRank), device));
  return LowRankFactors{std::move(cut.a), std::move(cut.b)};
}

// The stock way beside ours, on the same module.
void Compare(const StackedModule& module, const LowRankFactors& ours, const std::string& device, Outcome& outcome) {
  LowRankFactors stock;
  outcome.stock.push_back(Seconds([&] { stock = StockRecompress(module, kRank, device); }));
  const double optimal = OptimalError(module, kRank), error = ErrorOf(module, ours);
  outcome.optimal = std::max(outcome.optimal, optimal);
  outcome.error = std::max(outcome.error, error);
  outcome.stock_error = std::max(outcome.stock_error, ErrorOf(module, stock));
  outcome.worst = std::max(outcome.worst, error / optimal);
}

absl::Status Measure(int clients, const std::string& device, Outcome& outcome) {
  const StackedModule warm_up = MakeStack(clients, 0);
  CAIRN_RETURN_IF_ERROR(Recompress(warm_up, device).status());
  StockRecompress(warm_up, kRank, device);
  for (int m = 0; m < kLlamaModules; ++m) {
    const StackedModule module = MakeStack(clients, m + 1);
    absl::StatusOr<LowRankFactors> ours;
    outcome.ours.push_back(Seconds([&] { ours = Recompress(module, device); }));
    CAIRN_RETURN_IF_ERROR(ours.status());
    if (m < kStockModules) Compare(module, *ours, device, outcome);
  }
  return absl::OkStatus();
}

// In a child, as libtorch's threads would not survive another fork.
absl::StatusOr<Outcome> MeasureApart(int clients, const std::string& device) {
  CAIRN_ASSIGN_OR_RETURN(const ChildResult child, MeasureInChild([&](std::vector<double>& figures) -> absl::Status {
                           try {
                             Outcome outcome;
                             CAIRN_RETURN_IF_ERROR(Measure(clients, device, outcome));
                             figures = {outcome.optimal, outcome.error, outcome.stock_error, outcome.worst};
                             figures.insert(figures.end(), outcome.stock.begin(), outcome.stock.end());
                             figures.insert(figures.end(), outcome.ours.begin(), outcome.ours.end());
                             return absl::OkStatus();
                           } catch (const std::exception& error) {
                             return absl::InternalError(error.what());
                           }
                         }));
  const auto stock = child.figures.begin() + 4, ours = stock + kStockModules;
  return Outcome{{ours, child.figures.end()},
                 {stock, ours},
                 child.figures[0],
                 child.figures[1],
                 child.figures[2],
                 child.figures[3]};
}

std::string Verdict(bool good) { return good ? " yes" : " NO"; }

void AddRows(int clients, const Outcome& outcome, std::vector<std::vector<std::string>>& table) {
  const double speed = outcome.stock_whole() / outcome.ours_whole();
  const std::string rank = absl::StrCat("R = ", clients * kLlamaRank, ": ");
  table.push_back({absl::StrCat(rank, "QR + SVD, float32"), absl::StrFormat("%.3f", Median(outcome.stock)),
                   absl::StrFormat("%.1f (from %d)", outcome.stock_whole(), kStockModules), "1.0", "",
                   absl::StrFormat("%.6f", outcome.stock_error),
                   absl::StrFormat("%.4f", outcome.stock_error / outcome.optimal), ""});
  table.push_back({absl::StrCat(rank, "cairn"), absl::StrFormat("%.3f", Median(outcome.ours)),
                   absl::StrFormat("%.1f", outcome.ours_whole()), absl::StrFormat("%.1f", speed),
                   clients == 100 ? absl::StrCat(">= ", kSpeedGoal, Verdict(speed >= kSpeedGoal)) : "",
                   absl::StrFormat("%.6f", outcome.error), absl::StrFormat("%.4f", outcome.worst),
                   absl::StrCat("<= ", kErrorGoal, Verdict(outcome.worst <= kErrorGoal))});
}

}  // namespace

absl::Status MeasureRecompress(const std::string& device) {
  std::vector<std::vector<std::string>> table = {
      {"rank and program", "s/module", "s/64 modules", "x faster", "goal", "relative error", "x optimum", "goal"}};
  for (const int clients : kClients) {
    CAIRN_ASSIGN_OR_RETURN(const Outcome outcome, MeasureApart(clients, device));
    AddRows(clients, outcome, table);
  }
  std::printf("\nStacks of rank R, compressed to %d on %s, modules of %d x %d; errors of the first %d modules:\n",
              int{kRank}, device.c_str(), int{kLlamaDim}, int{kLlamaDim}, kStockModules);
  std::fputs(FormatTable(table, Align::kRight).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace cairn::bench
