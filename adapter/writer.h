// Writes a safetensors file in blocks, so that a large adapter or model never stands in memory whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"

namespace cairn {

// What a file will hold, in order: modules, A before B, and then tensors.
struct AdapterPlan {
  struct Module {
    std::string name;
    std::int64_t d_in = 0, d_out = 0, rank = 0;  // The rank is an upper bound.
    Layer layer = {};
  };
  struct Tensor {
    std::string name;
    std::vector<std::int64_t> shape;
    DType dtype = DType::kF32;
  };
  std::vector<Module> modules;
  std::vector<Tensor> tensors;
  DType dtype = DType::kF32;                                         // Of the modules' factors; floating-point.
  std::map<std::string, std::string> metadata = {{"format", "pt"}};  // Transformers refuses files without a framework.
  bool digest = true;                                                // Whether Finish returns one.
};

// A file that is not finished is removed. Errors of the disk are those of base/files.h.
class AdapterWriter {
 public:
  // INVALID_ARGUMENT for dimensions out of range, bad or repeated names, or factors that are not floating-point.
  static absl::StatusOr<AdapterWriter> Create(const std::filesystem::path& file, AdapterPlan plan);
  AdapterWriter(AdapterWriter&&) noexcept;
  AdapterWriter& operator=(AdapterWriter&&) noexcept;
  ~AdapterWriter();

  // Begins the next module, which has this rank: 0 (it is left out of the file) to the planned one, a multiple of the
  // layer's groups. All of A [rank, d_in] must follow, then all of B [d_out, rank / groups].
  // INVALID_ARGUMENT for another rank; FAILED_PRECONDITION when values of the module before are missing.
  absl::Status BeginModule(std::int64_t rank);

  // The next values, row-major, of the tensor that is being written: at most those that are left of it. A full tensor
  // is followed by the next one. INVALID_ARGUMENT for more values, or for a tensor that is not floating-point;
  // OUT_OF_RANGE, with the tensor's name, when a value is not finite in the file's type.
  absl::Status AppendRows(absl::Span<const float> values);
  absl::Status AppendRows(absl::Span<const double> values);
  // The next bytes of any tensor, as they are.
  absl::Status AppendBytes(absl::string_view bytes);

  // Flushes, syncs, and returns the sha256 of the file, or "" without `digest`. FAILED_PRECONDITION when something is
  // missing.
  absl::StatusOr<std::string> Finish() &&;

 private:
  struct State;
  explicit AdapterWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn
