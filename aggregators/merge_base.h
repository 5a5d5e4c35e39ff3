// Adds a result to the weights of its base model, block of rows by block of rows: W' = W + dW in float64, rounded once.
// Neither the base nor the output nor a weight stands in memory whole; the factors of one module do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/dtype.h"
#include "adapter/lora.h"
#include "adapter/tensor_files.h"
#include "aggregators/combined.h"

namespace cairn {

struct MergeOptions {
  std::optional<DType> dtype;   // Of every floating-point tensor. None: changed ones get the widest of base and
                                // `inputs`, others stay as they are.
  DType inputs = DType::kF32;   // The widest type of the adapters.
  bool fan_in_fan_out = false;  // What the adapters say of square weights; the shape of others tells.
  int threads = 1;              // For tensors that do not change.
  std::function<void(double part)> progress = [](double) {};  // 0 to 1.
};

class BaseMerge {
 public:
  // Resolves everything that `spec` changes before anything is written. The files get the names and tensors of the
  // base's own. `base` must outlive the object. INVALID_ARGUMENT, with the module or tensor, when the base has no such
  // tensor, one of another shape or of integers, or when two would change the same; and for convolutions with groups,
  // whose factors PEFT does not merge either.
  static absl::StatusOr<BaseMerge> Create(const TensorFiles& base, const AdapterSpec& spec,
                                          const std::filesystem::path& directory, const MergeOptions& options);
  BaseMerge(BaseMerge&&) noexcept;
  BaseMerge& operator=(BaseMerge&&) noexcept;
  ~BaseMerge();  // Removes the files unless they were finished.

  absl::Status Module(const CombinedModule& module);
  absl::Status Tensor(const CombinedTensor& tensor);
  ResultSink sink();  // Calls the two above. Must not outlive the object.

  // Copies every tensor that nothing changed, and writes headers and index. Bytes of all tensor files.
  absl::StatusOr<std::uint64_t> Finish() &&;

 private:
  struct State;
  explicit BaseMerge(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn
