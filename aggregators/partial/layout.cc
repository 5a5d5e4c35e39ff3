#include "aggregators/partial/layout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "adapter/find.h"
#include "aggregators/sum_blocks.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

using Part = Accumulator::Part;

constexpr std::int64_t kAlignment = 8;  // Accumulators begin at cache lines of 64 bytes.

class Builder {
 public:
  Builder(const Aggregator::Summed& summed, std::int64_t blocks_max) : summed_(summed), blocks_max_(blocks_max) {}

  absl::Status Add(const LoraModule& module) {
    const std::int64_t groups = module.layer.groups, rank = module.rank / groups;
    for (std::int64_t g = 0; g < groups; ++g) {
      const auto one = [&](Part part, std::int64_t rows, std::int64_t columns, std::int64_t block_rows) {
        return Add({part, module.name, g, rows, columns, block_rows});
      };
      if (summed_.a) CAIRN_RETURN_IF_ERROR(one(Part::kA, rank, module.d_in, SumBlockRows(module.d_in)));
      if (summed_.b) CAIRN_RETURN_IF_ERROR(one(Part::kB, module.d_out / groups, rank, kSumBlockRowsOfB));
      if (summed_.core) CAIRN_RETURN_IF_ERROR(one(Part::kCore, module.rank, module.rank, kSumBlockRowsOfB));
    }
    return absl::OkStatus();
  }

  absl::Status Add(const DenseTensor& tensor) {
    if (!IsFloat(tensor.view.dtype)) return absl::OkStatus();
    return Add({Part::kTensor, tensor.view.name, 0, tensor.view.elements(), 1, SumBlockRows(1)});
  }

  Layout Finish() && { return std::move(layout_); }

 private:
  // No product overflows: rows and columns are within limits (CheckSpec), and the sums so far are.
  absl::Status Add(Accumulator next) {
    next.offset = layout_.elements;
    next.first_block = layout_.blocks;
    const std::int64_t elements = next.rows * next.columns;
    layout_.elements += (elements + kAlignment - 1) / kAlignment * kAlignment;
    layout_.blocks += next.blocks();
    if (layout_.blocks > blocks_max_ || elements > kElementsMax || layout_.elements > kElementsMax) {
      return absl::InvalidArgumentError(absl::StrCat("partial sum: \"", next.name, "\": ", layout_.elements,
                                                     " elements in ", layout_.blocks, " blocks are too many"));
    }
    layout_.accumulators.push_back(std::move(next));
    return absl::OkStatus();
  }

  const Aggregator::Summed summed_;
  const std::int64_t blocks_max_;
  Layout layout_;
};

bool Same(const Accumulator& x, const Accumulator& y) {
  return x.part == y.part && x.group == y.group && x.name == y.name;
}

const TensorView& ViewOf(const LoraModule& module, Part part) {
  return part == Part::kA ? module.a : part == Part::kB ? module.b : *module.core;
}

}  // namespace

SumBlock Accumulator::Block(std::int64_t b) const {
  return {b * block_rows, std::min(block_rows, rows - b * block_rows), columns};
}

absl::StatusOr<Layout> LayoutOf(const Adapter& common, const Aggregator::Summed& summed, std::int64_t blocks_max) {
  Builder builder(summed, blocks_max);
  for (const LoraModule& module : common.modules) CAIRN_RETURN_IF_ERROR(builder.Add(module));
  for (const DenseTensor& tensor : common.tensors) CAIRN_RETURN_IF_ERROR(builder.Add(tensor));
  return std::move(builder).Finish();
}

std::vector<std::size_t> PlacesIn(const Layout& whole, const Layout& part) {
  std::vector<std::size_t> places;
  std::size_t at = 0;
  for (const Accumulator& accumulator : part.accumulators) {
    while (!Same(whole.accumulators[at], accumulator)) ++at;
    places.push_back(at++);
  }
  return places;
}

// The scale belongs to the delta: to B, or to the core where there is one.
bool TermsOf(const Adapter& adapter, const Accumulator& accumulator, double examples, ScaledView* terms) {
  if (accumulator.part == Part::kTensor) {
    const DenseTensor* tensor = FindTensor(adapter, accumulator.name);
    if (tensor == nullptr) return false;
    *terms = {examples * tensor->scale, tensor->view};
    terms->view.shape = {tensor->view.elements()};
    return true;
  }
  const LoraModule* module = FindModule(adapter, accumulator.name);
  if (module == nullptr) return false;
  terms->coefficient = accumulator.part == Part::kA ? examples : examples * module->scale;
  terms->view = module->layer.groups == 1 ? ViewOf(*module, accumulator.part)
                                          : ViewOf(GroupOf(*module, accumulator.group), accumulator.part);
  return true;
}

}  // namespace cairn::internal
