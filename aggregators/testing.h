// LoRA updates made in memory, for tests and benchmarks only. Mistakes in a test's own input abort.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapter/dtype.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "aggregators/kernels/reference.h"

namespace cairn::testing {

// What a trainer would send.
struct UpdateBytes {
  std::string config_json;
  std::string safetensors;
};

// Changes a module's factors before they are written: a [rank, d_in], b [d_out, rank].
using EditFactors = std::function<void(const ModuleSpec& module, std::vector<float>& a, std::vector<float>& b)>;

// Factors uniform in [-1, 1), the same for the same seed; scale = alpha / rank. `modules` in ascending order of name.
UpdateBytes MakeUpdateBytes(std::uint64_t seed, const std::vector<ModuleSpec>& modules, std::int64_t rank, double alpha,
                            DType dtype, const EditFactors& edit = nullptr);

// An update's bytes with the views into them. Moving keeps the views valid.
class InMemoryUpdate {
 public:
  explicit InMemoryUpdate(UpdateBytes bytes);
  const Adapter& adapter() const { return adapter_; }
  const UpdateBytes& bytes() const { return *bytes_; }

 private:
  std::unique_ptr<UpdateBytes> bytes_;
  Adapter adapter_;
};

// InMemoryUpdate of MakeUpdateBytes.
InMemoryUpdate MakeUpdate(std::uint64_t seed, const std::vector<ModuleSpec>& modules, std::int64_t rank, double alpha,
                          DType dtype = DType::kF32, const EditFactors& edit = nullptr);

// A result, read into memory.
struct ReportedModule {
  ModuleSpec spec;
  std::int64_t rank = 0;
  std::vector<float> a, b;  // [rank, d_in], [d_out, rank / groups]
};
struct ReportedTensor {
  TensorSpec spec;
  std::vector<float> values;
  std::string same;  // Bytes of a tensor that is no float.
};
struct Reported {
  std::vector<ReportedModule> modules;
  std::vector<ReportedTensor> tensors;
};

// A module as the slow twins take it: the very values in its views.
kernels::reference::Update ReferenceOf(const LoraModule& module, double weight);
kernels::reference::Factors ReferenceOf(const ReportedModule& module);

// The whole result of a combine rule, with the weights that `rule` gives.
absl::StatusOr<Reported> ReportAll(Aggregator&& aggregator, absl::string_view rule = "examples");

}  // namespace cairn::testing
