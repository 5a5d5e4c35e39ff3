#include "aggregators/gram_tensors.h"

#include <algorithm>
#include <cstddef>

#include "adapter/find.h"
#include "aggregators/kernels/dense_gram.h"
#include "base/interrupt.h"
#include "base/limits.h"
#include "base/parallel.h"
#include "base/progress.h"
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
struct Chunk {
  const Tensor* tensor;
  std::size_t first, count;
};

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

// No two tensors share one: what a tensor adds must not depend on which others are added here.
std::vector<Chunk> ChunksOf(const std::vector<Tensor>& tensors) {
  std::vector<Chunk> chunks;
  for (const Tensor& tensor : tensors) {
    for (std::size_t first = 0; !tensor.columns.empty() && first < tensor.elements; first += kChunkElements) {
      chunks.push_back({&tensor, first, std::min(kChunkElements, tensor.elements - first)});
    }
  }
  return chunks;
}

const char* ElementAt(const TensorView& view, std::size_t at) { return view.data.data() + at * SizeOf(view.dtype); }

// Without the tensor's scales.
SmallMatrix SumsOf(const Chunk& chunk) {
  const Tensor& tensor = *chunk.tensor;
  DenseGram sum(tensor.columns.size(), tensor.any_double ? DenseGram::Values::kDouble : DenseGram::Values::kSingle);
  std::vector<const char*> next(tensor.columns.size());  // Where the next block lies.
  for (std::size_t at = 0, count = 0; at < chunk.count; at += count) {
    count = std::min<std::size_t>(DenseGram::kBlock, chunk.count - at);
    const bool last = at + count == chunk.count;
    for (std::size_t i = 0; i < next.size(); ++i) {
      const TensorView& view = tensor.values[i]->view;
      ToDouble(view.dtype, ElementAt(view, chunk.first + at), count, sum.column(i).data());
      if (!last) next[i] = ElementAt(view, chunk.first + at + count);
    }
    sum.Add(count, last ? absl::Span<const char* const>() : next, SizeOf(tensor.values[0]->view.dtype));
  }
  return sum.Sums();
}

void AddScaled(const Tensor& tensor, const SmallMatrix& sums, SmallMatrix& products) {
  for (std::size_t i = 0; i < sums.rows; ++i) {
    for (std::size_t j = 0; j < sums.rows; ++j) {
      products.at(tensor.columns[i], tensor.columns[j]) +=
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
                               const GramOptions& options, GramSums& gram) {
  std::vector<Tensor> tensors;
  for (const TensorSpec& spec : specs) tensors.push_back(TensorOf(spec, columns));
  const std::vector<Chunk> chunks = ChunksOf(tensors);
  const std::size_t wave = GramChunksAtATime(columns.size());
  std::vector<SmallMatrix> sums(std::min(wave, chunks.size()));
  SmallMatrix own = SmallMatrix::Zero(columns.size(), columns.size());  // Of the tensor that is being read.
  for (std::size_t first = 0; first < chunks.size(); first += wave) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    WorkProgress::Made();
    const std::size_t count = std::min(wave, chunks.size() - first);
    CAIRN_RETURN_IF_ERROR(ParallelFor(options.workers(), static_cast<std::int64_t>(count), [&](int, std::int64_t i) {
      sums[i] = SumsOf(chunks[first + i]);
      return absl::OkStatus();
    }));
    for (std::size_t i = 0; i < count; ++i) {
      const Chunk& chunk = chunks[first + i];
      AddScaled(*chunk.tensor, sums[i], own);
      if (chunk.first + chunk.count < chunk.tensor->elements) continue;
      gram.Add(own);
      std::fill(own.values.begin(), own.values.end(), 0.0);
    }
    CAIRN_RETURN_IF_ERROR(options.after_read());
  }
  return absl::OkStatus();
}

}  // namespace cairn
