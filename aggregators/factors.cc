#include "aggregators/factors.h"

#include <algorithm>
#include <vector>

#include "adapter/dtype.h"
#include "aggregators/kernels/lora_combine.h"

namespace cairn {
namespace {

constexpr std::size_t kBlockElements = 4096;  // 16 KiB of float32: half of a common first-level data cache.

}  // namespace

void ForEachBlock(const TensorView& factor, std::int64_t row,
                  absl::FunctionRef<void(std::size_t first, absl::Span<const float> block)> visit) {
  const std::size_t elements = factor.elements();
  const std::size_t step = std::max<std::size_t>(1, kBlockElements / row) * row;
  std::vector<float> block(std::min(step, elements));
  for (std::size_t first = 0; first < elements; first += step) {
    const std::size_t count = std::min(step, elements - first);
    ToFloat(factor.dtype, factor.data.data() + first * SizeOf(factor.dtype), count, block.data());
    visit(first, absl::MakeConstSpan(block.data(), count));
  }
}

void StackFactors(absl::Span<const WeightedModule> inputs, CombinedModule& out) {
  std::int64_t at = 0;
  for (const auto& [weight, module] : inputs) {
    ToFloat(module->a.dtype, module->a.data.data(), module->a.elements(), out.a.data() + at * out.d_in);
    const kernels::ColumnBlock columns{.columns = module->rank, .width = out.rank, .at = at};
    const double factor = weight * module->scale;
    ForEachBlock(module->b, module->rank, [&](std::size_t first, absl::Span<const float> block) {
      const std::size_t rows = block.size() / columns.columns;
      float* to = out.b.data() + first / columns.columns * out.rank;
      kernels::ScaleIntoColumns(block, columns, factor, absl::MakeSpan(to, rows * out.rank));
    });
    at += module->rank;
  }
}

void AverageFactors(absl::Span<const WeightedModule> inputs, CombinedModule& out) {
  std::vector<double> a(out.a.size(), 0.0), b(out.b.size(), 0.0);
  for (const auto& [weight, module] : inputs) {
    const double p = weight, ps = weight * module->scale;
    ForEachBlock(module->a, 1, [&](std::size_t first, absl::Span<const float> block) {
      kernels::AddScaled(block, p, absl::MakeSpan(a).subspan(first, block.size()));
    });
    const kernels::ColumnBlock columns{.columns = module->rank, .width = out.rank, .at = 0};
    ForEachBlock(module->b, module->rank, [&](std::size_t first, absl::Span<const float> block) {
      const std::size_t rows = block.size() / columns.columns, row = first / columns.columns;
      kernels::AddToColumns(block, columns, ps, absl::MakeSpan(b).subspan(row * out.rank, rows * out.rank));
    });
  }
  kernels::RoundToFloat(a, absl::MakeSpan(out.a));
  kernels::RoundToFloat(b, absl::MakeSpan(out.b));
}

}  // namespace cairn
