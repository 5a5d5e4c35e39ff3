// Where in a plane the accumulators of a partial sum lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "aggregators/block_terms.h"

namespace cairn::internal {

// One matrix that is summed: a factor or core of one group of a module, or a tensor as a column.
struct Accumulator {
  enum class Part : std::uint8_t { kA, kB, kCore, kTensor };
  Part part = Part::kTensor;
  std::string name;        // Of the module or tensor.
  std::int64_t group = 0;  // Of the module.
  std::int64_t rows = 0, columns = 0, block_rows = 1;
  std::int64_t offset = 0;       // Of its first element in a plane.
  std::int64_t first_block = 0;  // In PartialState::windows.

  std::int64_t blocks() const { return (rows + block_rows - 1) / block_rows; }
  SumBlock Block(std::int64_t b) const;
  // Of a block's first element in a plane.
  std::int64_t OffsetOf(const SumBlock& block) const { return offset + block.first * columns; }
  friend bool operator==(const Accumulator&, const Accumulator&) = default;
};

// Modules ascending by name, their groups in order, A before B before core; then tensors ascending by name.
struct Layout {
  std::vector<Accumulator> accumulators;
  std::int64_t elements = 0;  // Of a plane.
  std::int64_t blocks = 0;
  friend bool operator==(const Layout&, const Layout&) = default;
};

// Of a plane: more than there is memory for, and far from where offsets overflow.
inline constexpr std::int64_t kElementsMax = std::int64_t{1} << 48;

// Of what `common` has. INVALID_ARGUMENT for more than `blocks_max` blocks or kElementsMax elements.
absl::StatusOr<Layout> LayoutOf(const Adapter& common, const Aggregator::Summed& summed, std::int64_t blocks_max);

// For each accumulator of `part` that of `whole` which is for the same matrix. REQUIRES: they are all there.
std::vector<std::size_t> PlacesIn(const Layout& whole, const Layout& part);

// The view of what an adapter adds to an accumulator, and its coefficient for `examples` of them; false if it has none.
bool TermsOf(const Adapter& adapter, const Accumulator& accumulator, double examples, ScaledView* terms);

}  // namespace cairn::internal
