// The files of a changed base model: model.safetensors, or the base's own shards and model.safetensors.index.json. The
// tensors have the base's names and shapes, and perhaps other types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/dtype.h"
#include "adapter/tensor_files.h"
#include "aggregators/tensor_file.h"

namespace cairn {

class BaseOutput {
 public:
  // `types` has the type of each of the base's tensors in the output. `base` must outlive the object.
  static absl::StatusOr<BaseOutput> Create(const TensorFiles& base, const std::filesystem::path& directory,
                                           const std::vector<DType>& types);

  // Elements [first, first + out.size()) of a tensor of the base, floating-point.
  void Read(std::size_t tensor, std::int64_t first, absl::Span<double> out) const;
  // The same elements of the output. OUT_OF_RANGE when its type does not hold a value.
  absl::Status Write(std::size_t tensor, std::int64_t first, absl::Span<const double> values) const;
  // The whole tensor, of the output's type.
  absl::Status Write(std::size_t tensor, absl::string_view bytes) const;
  // The base's tensor as it is, but for its type.
  absl::Status Copy(std::size_t tensor, int threads) const;

  DType type(std::size_t tensor) const { return tensors_[tensor].type; }

  // Writes headers and index. Bytes of all tensor files.
  absl::StatusOr<std::uint64_t> Finish() &&;

 private:
  struct Tensor {
    DType type;
    std::uint64_t at;  // Offset in its file.
  };
  explicit BaseOutput(const TensorFiles& base) : base_(&base) {}
  absl::Status Cast(std::size_t tensor, std::int64_t first, absl::Span<const double> values) const;
  absl::Status Overflow(std::size_t tensor) const;
  std::uint64_t OffsetOf(std::size_t tensor, std::int64_t element) const;

  const TensorFiles* base_;
  std::filesystem::path directory_;
  std::vector<TensorFile> files_;  // By shard.
  std::vector<Tensor> tensors_;    // As TensorFiles::tensors.
};

}  // namespace cairn
