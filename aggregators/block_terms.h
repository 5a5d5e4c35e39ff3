// Clients' parts in one block of a sum: from views' bytes to int64 terms in the planes of their windows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "aggregators/factor.h"
#include "aggregators/kernels/terms_at_once.h"
#include "aggregators/kernels/window_sum.h"

namespace cairn::internal {

enum class Folded {
  kDone,
  kNotFinite,  // The view's part has a value that is not finite, or is not with its coefficient. Nothing was added.
  kNoPlane,    // `memory` gave nothing. Part may have been added.
};

// A block of an accumulator: rows [first, first + rows) of a matrix `columns` wide.
struct SumBlock {
  std::int64_t first = 0, rows = 0, columns = 0;
};

// Gives the block's rows x columns numbers in a plane; nothing when the plane cannot be made.
using BlockMemory = absl::FunctionRef<absl::Span<std::int64_t>(int plane)>;

// One client's view, taken block by block.
struct BlockSource {
  const ScaledView* scaled = nullptr;
  std::optional<int> window = std::nullopt;  // In the block before: mostly that of the next one, too.
};

// Keeps memory between calls. Not thread-safe.
class BlockTerms {
 public:
  // Adds coefficient * view of each source, which lies in the upper left corner of the accumulator, where it meets the
  // block. `memory` of a plane that the block has not used is overwritten. Windows are guessed, and then sources are
  // added at once in one pass; where the guess was wrong, and whatever else is not as usual, by itself and in two. What
  // comes out is the same. kNotFinite: for *failed; others may have been added.
  Folded Add(absl::Span<BlockSource> sources, const SumBlock& block, kernels::BlockWindows& windows, BlockMemory memory,
             std::size_t* failed);

 private:
  // Of the sources whose terms are not in the sum yet.
  using Waiting = std::vector<BlockSource*>;

  Folded AddGuessed(int window, const SumBlock& block, kernels::BlockWindows& windows, BlockMemory memory);
  Folded AddAtOnce(absl::Span<BlockSource* const> sources, int window, const SumBlock& block,
                   kernels::BlockWindows& windows, BlockMemory memory);
  Folded AddMeasured(BlockSource& source, const SumBlock& block, kernels::BlockWindows& windows, BlockMemory memory);
  template <typename T>
  absl::Span<const T> Read(const TensorView& view, std::int64_t first, std::int64_t count, std::vector<T>& tile);

  Waiting waiting_, guessed_;
  std::array<std::vector<float>, kernels::kTermsAtOnce> floats_;
  std::vector<double> doubles_;
};

// Gives the rows x columns numbers of a block in a plane that it has.
using BlockSums = absl::FunctionRef<absl::Span<const std::int64_t>(int plane)>;

// Adds the sums of another block, which begins at the same row and is not larger, in its upper left corner.
Folded AddBlockSums(const kernels::BlockWindows& other, const SumBlock& other_block, BlockSums other_sums,
                    const SumBlock& block, kernels::BlockWindows& windows, BlockMemory memory);

// Values of a block from its element `skip` on, each divided by `divisor`.
void ReadBlock(const kernels::BlockWindows& windows, BlockSums sums, std::int64_t skip, double divisor,
               absl::Span<float> out);
void ReadBlock(const kernels::BlockWindows& windows, BlockSums sums, std::int64_t skip, double divisor,
               absl::Span<double> out);

}  // namespace cairn::internal
