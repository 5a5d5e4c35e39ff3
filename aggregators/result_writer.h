// Writes a result as a safetensors file, a block of rows at a time: neither the file nor a factor stands in memory
// whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/dtype.h"
#include "adapter/lora.h"
#include "aggregators/combined.h"

namespace cairn {

struct WriteOptions {
  DType dtype = DType::kF32;                   // Of every floating-point tensor.
  int threads = 1;                             // That read, convert and write blocks. The bytes do not depend on it.
  std::function<void()> after_tensor = [] {};  // Once one is written: pages of mapped inputs may leave memory.
};

class ResultWriter {
 public:
  // `spec` and `ranks` (upper bounds, by module of spec) say how large the header may become: its space is reserved, as
  // the ranks of compressed modules are known only when they arrive. `file` is created, or emptied.
  static absl::StatusOr<ResultWriter> Create(const std::filesystem::path& file, const AdapterSpec& spec,
                                             const std::vector<std::int64_t>& ranks, const WriteOptions& options);
  ResultWriter(ResultWriter&&) noexcept;
  ResultWriter& operator=(ResultWriter&&) noexcept;
  ~ResultWriter();  // Removes the file unless it was finished.

  // PEFT's names and shapes. A module of rank 0 changes nothing and is left out.
  absl::Status Module(const CombinedModule& module);
  absl::Status Tensor(const CombinedTensor& tensor);
  // Calls the two above. Must not outlive the writer.
  ResultSink sink();

  struct Written {
    std::uint64_t bytes = 0;                                  // Of the file.
    std::vector<std::pair<std::string, std::int64_t>> ranks;  // By module, in the order of arrival.
  };
  // Writes the header and syncs. The directory's entry is not synced.
  absl::StatusOr<Written> Finish() &&;

 private:
  struct State;
  explicit ResultWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn
