#include "aggregators/gram_tensors.h"

#include <algorithm>
#include <cstddef>

#include "adapter/find.h"
#include "aggregators/kernels/dense_gram.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::DenseGram;
using kernels::SmallMatrix;

// Of a column, for one thread: a fixed number, so that sums do not depend on how many threads there are.
constexpr std::size_t kChunkElements = 1 << 16;
constexpr std::size_t kWaveChunks = 64;  // Their sums are in memory at a time.

// One tensor of those columns that have it.
struct Tensor {
  std::vector<std::size_t> columns;
  std::vector<const DenseTensor*> values;
  std::size_t elements = 0;
};

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
  }
  return tensor;
}

std::vector<Chunk> ChunksOf(const std::vector<Tensor>& tensors) {
  std::vector<Chunk> chunks;
  for (const Tensor& tensor : tensors) {
    if (tensor.columns.empty()) continue;
    for (std::size_t first = 0; first < tensor.elements; first += kChunkElements) {
      chunks.push_back({&tensor, first, std::min(kChunkElements, tensor.elements - first)});
    }
  }
  return chunks;
}

const char* ElementAt(const TensorView& view, std::size_t at) { return view.data.data() + at * SizeOf(view.dtype); }

// Without the tensors' scales.
SmallMatrix SumsOf(const Chunk& chunk) {
  const std::vector<const DenseTensor*>& values = chunk.tensor->values;
  const bool any_double =
      std::any_of(values.begin(), values.end(), [](const auto* own) { return own->view.dtype == DType::kF64; });
  DenseGram sum(values.size(), any_double ? DenseGram::Values::kDouble : DenseGram::Values::kSingle);
  std::vector<const char*> next(values.size());
  const std::size_t end = chunk.first + chunk.count;
  for (std::size_t at = chunk.first; at < end; at += DenseGram::kBlock) {
    const std::size_t count = std::min(DenseGram::kBlock, end - at);
    const bool last = at + count == end;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const TensorView& view = values[i]->view;
      ToDouble(view.dtype, ElementAt(view, at), count, sum.column(i).data());
      if (!last) next[i] = ElementAt(view, at + count);
    }
    sum.Add(count, last ? absl::Span<const char* const>() : next, SizeOf(values[0]->view.dtype));
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

absl::Status AddTensorProducts(absl::Span<const Adapter* const> columns, const std::vector<TensorSpec>& specs,
                               const GramOptions& options, SmallMatrix& gram) {
  std::vector<Tensor> tensors;
  for (const TensorSpec& spec : specs) tensors.push_back(TensorOf(spec, columns));
  const std::vector<Chunk> chunks = ChunksOf(tensors);
  std::vector<SmallMatrix> sums(std::min(kWaveChunks, chunks.size()));
  for (std::size_t first = 0; first < chunks.size(); first += kWaveChunks) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    const std::size_t count = std::min(kWaveChunks, chunks.size() - first);
    CAIRN_RETURN_IF_ERROR(ParallelFor(options.workers(), static_cast<std::int64_t>(count), [&](int, std::int64_t i) {
      sums[i] = SumsOf(chunks[first + i]);
      return absl::OkStatus();
    }));
    for (std::size_t i = 0; i < count; ++i) AddScaled(*chunks[first + i].tensor, sums[i], gram);
    CAIRN_RETURN_IF_ERROR(options.after_read());
  }
  return absl::OkStatus();
}

}  // namespace cairn
