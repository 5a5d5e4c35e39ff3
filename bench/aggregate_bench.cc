// Stacking against memcpy of the same bytes, in the same iteration: how far combining is from merely moving the
// updates.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

constexpr int kModules = 64;
constexpr std::int64_t kDim = 1024;
constexpr std::int64_t kRanks[] = {16, 16, 8, 8, 8, 4, 4, 4, 2, 2};  // One client each.

std::vector<testing::InMemoryUpdate> Cohort(DType dtype) {
  std::vector<ModuleSpec> modules;
  for (int m = 0; m < kModules; ++m) modules.push_back({absl::StrCat("layer.", 100 + m), kDim, kDim});
  std::vector<testing::InMemoryUpdate> cohort;
  for (const std::int64_t rank : kRanks) cohort.push_back(testing::MakeUpdate(rank, modules, rank, 16, dtype));
  return cohort;
}

template <typename Body>
double Seconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Report alone: Accumulate checks values, which the server does while the bytes arrive.
double StackSeconds(Aggregator&& rule, benchmark::State& state) {
  return Seconds([&] {
    const absl::Status status = std::move(rule).Report([](const CombinedModule& module) {
      benchmark::DoNotOptimize(module.a.data());
      benchmark::DoNotOptimize(module.b.data());
      benchmark::ClobberMemory();
      return absl::OkStatus();
    });
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  });
}

// The same reads in the same order, into a buffer that is reused from module to module, as the rule's is.
double CopySeconds(const std::vector<testing::InMemoryUpdate>& cohort, std::vector<char>& buffer) {
  return Seconds([&] {
    for (int m = 0; m < kModules; ++m) {
      char* to = buffer.data();
      for (const testing::InMemoryUpdate& update : cohort) {
        const LoraModule& module = update.adapter().modules[m];
        for (const absl::string_view data : {module.a.data, module.b.data}) {
          std::memcpy(to, data.data(), data.size());
          to += data.size();
        }
      }
      benchmark::ClobberMemory();
    }
  });
}

std::size_t ModuleBytes(const std::vector<testing::InMemoryUpdate>& cohort) {
  std::size_t bytes = 0;
  for (const testing::InMemoryUpdate& update : cohort) {
    const LoraModule& module = update.adapter().modules[0];
    bytes += module.a.data.size() + module.b.data.size();
  }
  return bytes;
}

void BM_Stack(benchmark::State& state, DType dtype) {
  const std::vector<testing::InMemoryUpdate> cohort = Cohort(dtype);
  const std::size_t bytes = ModuleBytes(cohort);
  std::vector<char> buffer(bytes);
  double stack = 0, copy = 0;
  for (auto _ : state) {
    auto rule = *MakeAggregator("stack");
    for (std::size_t i = 0; i < cohort.size(); ++i) {
      const absl::Status status = rule->Accumulate({absl::StrCat("client-", i), 10.0 + i, &cohort[i].adapter()});
      if (!status.ok()) state.SkipWithError(status.ToString().c_str());
    }
    const double seconds = StackSeconds(std::move(*rule), state);
    state.SetIterationTime(seconds);
    stack += seconds;
    copy += CopySeconds(cohort, buffer);
  }
  const double total = static_cast<double>(bytes) * kModules * static_cast<double>(state.iterations());
  state.counters["stack_GBps"] = total / stack / 1e9;
  state.counters["memcpy_GBps"] = total / copy / 1e9;
  state.counters["ratio_to_memcpy"] = copy / stack;
}
BENCHMARK_CAPTURE(BM_Stack, F32, DType::kF32)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Stack, BF16, DType::kBF16)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cairn
