#include "aggregators/gram_tensors.h"

#include <algorithm>
#include <cstddef>

#include "adapter/find.h"
#include "aggregators/kernels/dense_gram.h"
#include "base/interrupt.h"
#include "base/limits.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::DenseGram;
using kernels::SmallMatrix;

// Of a column, for one thread: a fixed number, so that sums do not depend on how many threads there are.
constexpr std::size_t kChunkElements = 1 << 16;
constexpr std::size_t kWaveChunksMax = 64;
constexpr std::size_t kWaveBytes = limits::kGiB;
// Of a pair of columns, in a chunk: its sum, and eight that are being added up.
constexpr std::size_t kPairBytes = 9 * sizeof(double);

// One tensor of those columns that have it.
struct Tensor {
  std::vector<std::size_t> columns;
  std::vector<const DenseTensor*> values;
  std::size_t elements = 0;
  bool any_double = false;
};

// Some of a tensor's elements.
struct Piece {
  const Tensor* tensor;
  std::size_t first, count;
};

// Of tensors that are alike.
using Chunk = std::vector<Piece>;

Tensor TensorOf(const TensorSpec& spec, absl::Span<const Adapter* const> columns) {
  Tensor tensor{.elements = static_cast<std::size_t>(TensorView{.shape = spec.shape}.elements())};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const DenseTensor* own = columns[i] == nullptr ? nullptr : FindTensor(*columns[i], spec.name);
    if (own == nullptr || !IsFloat(own->view.dtype)) continue;
    tensor.columns.push_back(i);
    tensor.values.push_back(own);
    tensor.any_double = tensor.any_double || own->view.dtype == DType::kF64;
  }
  return tensor;
}

// Whether the products of both may be summed before they are scaled.
bool AreAlike(const Tensor& x, const Tensor& y) {
  return x.columns == y.columns && x.any_double == y.any_double &&
         std::equal(x.values.begin(), x.values.end(), y.values.begin(),
                    [](const DenseTensor* one, const DenseTensor* other) { return one->scale == other->scale; });
}

// Small tensors share chunks: a chunk costs a sum for every pair of columns, however few its elements are.
std::vector<Chunk> ChunksOf(const std::vector<Tensor>& tensors) {
  std::vector<Chunk> chunks;
  std::size_t room = 0;  // In the last one.
  for (const Tensor& tensor : tensors) {
    if (tensor.columns.empty()) continue;
    if (room > 0 && !AreAlike(*chunks.back().back().tensor, tensor)) room = 0;
    for (std::size_t first = 0, count = 0; first < tensor.elements; first += count, room -= count) {
      if (room == 0) {
        chunks.emplace_back();
        room = kChunkElements;
      }
      count = std::min(room, tensor.elements - first);
      chunks.back().push_back({&tensor, first, count});
    }
  }
  return chunks;
}

const char* ElementAt(const TensorView& view, std::size_t at) { return view.data.data() + at * SizeOf(view.dtype); }

// Brings a chunk into a DenseGram block by block; a block may have elements of many small tensors.
class ChunkReader {
 public:
  explicit ChunkReader(const Chunk& chunk) : chunk_(chunk), next_(chunk[0].tensor->columns.size()) {}

  bool done() const { return piece_ == chunk_.size(); }

  // Returns how many elements there are in the block.
  std::size_t Fill(DenseGram& block) {
    std::size_t filled = 0;
    while (!done() && filled < DenseGram::kBlock) {
      const Piece& piece = chunk_[piece_];
      const std::size_t count = std::min(DenseGram::kBlock - filled, piece.count - at_);
      for (std::size_t i = 0; i < next_.size(); ++i) {
        const TensorView& view = piece.tensor->values[i]->view;
        ToDouble(view.dtype, ElementAt(view, piece.first + at_), count, block.column(i).data() + filled);
      }
      filled += count;
      Skip(count);
    }
    return filled;
  }

  // Where the elements of the next block lie, by column. Nothing at the end.
  absl::Span<const char* const> next() {
    if (done()) return {};
    const Piece& piece = chunk_[piece_];
    for (std::size_t i = 0; i < next_.size(); ++i) {
      next_[i] = ElementAt(piece.tensor->values[i]->view, piece.first + at_);
    }
    return next_;
  }

 private:
  void Skip(std::size_t count) {
    at_ += count;
    if (at_ < chunk_[piece_].count) return;
    ++piece_;
    at_ = 0;
  }

  const Chunk& chunk_;
  std::vector<const char*> next_;
  std::size_t piece_ = 0, at_ = 0;
};

// Without the tensors' scales.
SmallMatrix SumsOf(const Chunk& chunk) {
  const Tensor& first = *chunk[0].tensor;
  DenseGram sum(first.columns.size(), first.any_double ? DenseGram::Values::kDouble : DenseGram::Values::kSingle);
  ChunkReader reader(chunk);
  while (!reader.done()) {
    const std::size_t count = reader.Fill(sum);
    sum.Add(count, reader.next(), SizeOf(first.values[0]->view.dtype));
  }
  return sum.Sums();
}

void AddScaled(const Tensor& tensor, const SmallMatrix& sums, SmallMatrix& gram) {
  for (std::size_t i = 0; i < sums.rows; ++i) {
    for (std::size_t j = 0; j < sums.rows; ++j) {
      gram.at(tensor.columns[i], tensor.columns[j]) +=
          tensor.values[i]->scale * tensor.values[j]->scale * sums.at(i, j);
    }
  }
}

}  // namespace

std::size_t GramChunksAtATime(std::size_t columns) {
  const std::size_t bytes = kPairBytes * std::max<std::size_t>(1, columns * columns);
  return std::clamp<std::size_t>(kWaveBytes / bytes, 1, kWaveChunksMax);
}

absl::Status AddTensorProducts(absl::Span<const Adapter* const> columns, const std::vector<TensorSpec>& specs,
                               const GramOptions& options, SmallMatrix& gram) {
  std::vector<Tensor> tensors;
  for (const TensorSpec& spec : specs) tensors.push_back(TensorOf(spec, columns));
  const std::vector<Chunk> chunks = ChunksOf(tensors);
  const std::size_t wave = GramChunksAtATime(columns.size());
  std::vector<SmallMatrix> sums(std::min(wave, chunks.size()));
  for (std::size_t first = 0; first < chunks.size(); first += wave) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    const std::size_t count = std::min(wave, chunks.size() - first);
    CAIRN_RETURN_IF_ERROR(ParallelFor(options.workers(), static_cast<std::int64_t>(count), [&](int, std::int64_t i) {
      sums[i] = SumsOf(chunks[first + i]);
      return absl::OkStatus();
    }));
    for (std::size_t i = 0; i < count; ++i) AddScaled(*chunks[first + i][0].tensor, sums[i], gram);
    CAIRN_RETURN_IF_ERROR(options.after_read());
  }
  return absl::OkStatus();
}

}  // namespace cairn
