#include "bench/robust_factors.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "aggregators/gram.h"
#include "aggregators/kernels/reference_lowrank.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/median.h"
#include "bench/robust_floor.h"
#include "bench/seconds.h"

namespace cairn::bench {
namespace {

constexpr std::int64_t kDim = 4096;
constexpr std::int64_t kRanks[] = {64, 32, 16, 16, 8, 8, 4, 4, 4, 4};
constexpr int kClientsOfARank = 10;
constexpr int kPeakSize = 3072;  // Of the matrices whose product is the machine's best.
constexpr double kSecondsGoal = 60;
constexpr double kPeakGoal = 2;  // Times what the multiplications alone take at the machine's best.

// All modules of a client are the same values: together those of one module are more than any cache holds.
class FactorCohort {
 public:
  explicit FactorCohort(int modules) {
    std::uint64_t seed = 0;
    for (int i = 0; i < kClientsOfARank; ++i) {
      for (const std::int64_t rank : kRanks) AddClient(rank, modules, ++seed);
    }
  }

  const std::vector<const Adapter*>& columns() const { return columns_; }
  std::int64_t rank() const { return rank_; }  // Of all clients together.

 private:
  void AddClient(std::int64_t rank, int modules, std::uint64_t seed) {
    rank_ += rank;
    values_.push_back(
        std::make_unique<kernels::reference::FloatFactors>(kernels::reference::RandomFactors(seed, kDim, rank, kDim)));
    const auto view = [](const std::vector<float>& values, std::vector<std::int64_t> shape) {
      return TensorView{.name = "factor",
                        .shape = std::move(shape),
                        .data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
    };
    adapters_.push_back(std::make_unique<Adapter>());
    for (int m = 0; m < modules; ++m) {
      adapters_.back()->modules.push_back({.name = absl::StrFormat("layers.%03d.q_proj", m),
                                           .d_in = kDim,
                                           .d_out = kDim,
                                           .rank = rank,
                                           .scale = 2,
                                           .a = view(values_.back()->a, {rank, kDim}),
                                           .b = view(values_.back()->b, {kDim, rank})});
    }
    columns_.push_back(adapters_.back().get());
  }

  std::vector<std::unique_ptr<kernels::reference::FloatFactors>> values_;
  std::vector<std::unique_ptr<Adapter>> adapters_;
  std::vector<const Adapter*> columns_;
  std::int64_t rank_ = 0;
};

absl::Status Measure(const FactorOptions& options) {
  const FactorCohort cohort(options.modules), one(1);
  CAIRN_RETURN_IF_ERROR(GramOf(one.columns(), {.threads = options.threads}).status());  // Warms up.
  ProductsASecond(kPeakSize);
  std::vector<double> seconds, peaks;
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    peaks.push_back(ProductsASecond(kPeakSize));
    absl::Status status;
    seconds.push_back(Seconds([&] { status = GramOf(cohort.columns(), {.threads = options.threads}).status(); }));
    CAIRN_RETURN_IF_ERROR(status);
  }
  // Half of all pairs of units, for both factors.
  const auto rank = static_cast<double>(cohort.rank());
  const double products = options.modules * rank * rank / 2 * 2 * static_cast<double>(kDim);
  const double took = Median(seconds), peak = Median(peaks), ratio = took * peak / products;
  const std::vector<std::vector<std::string>> table = {
      {"clients", "R", "modules", "s", "goal", "GFLOP/s", "DGEMM, GFLOP/s", "x DGEMM", "goal"},
      {absl::StrFormat("%d", cohort.columns().size()), absl::StrFormat("%d", cohort.rank()),
       absl::StrFormat("%d of %d x %d", options.modules, kDim, kDim), absl::StrFormat("%.1f", took),
       absl::StrFormat("<= %.0f %s", kSecondsGoal, took <= kSecondsGoal ? "yes" : "NO"),
       absl::StrFormat("%.1f", 2e-9 * products / took), absl::StrFormat("%.1f", 2e-9 * peak),
       absl::StrFormat("%.2f", ratio), absl::StrFormat("<= %.0f %s", kPeakGoal, ratio <= kPeakGoal ? "yes" : "NO")}};
  std::printf(
      "\nInner products of LoRA updates of mixed ranks, R units in a module, from their factors; the multiplications "
      "counted are those of half of all pairs:\n");
  std::fputs(FormatTable(table, Align::kRight).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureFactors(const FactorOptions& options) {
  try {
    return Measure(options);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace cairn::bench
