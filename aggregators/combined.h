// The result of combining: modules and tensors that are evaluated as they are written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "adapter/lora.h"
#include "aggregators/factor.h"

namespace cairn {

// How far a result is from the exact weighted sum dW* = sum of w_i s_i B_i A_i, in squared Frobenius norms.
struct Deviation {
  double error_squared = 0;  // ||published - dW*||^2
  double norm_squared = 0;   // ||dW*||^2
  double relative() const;   // sqrt(error / norm); 0 when both are 0.
};

// One module: dW = B A, scale 1; or dW as it is. With groups, run g of the rows of A and of B belong together
// (adapter/lora.h).
struct CombinedModule {
  ModuleSpec spec;
  std::int64_t rank = 0;
  FactorPtr a;                         // [rank, d_in]
  FactorPtr b;                         // [d_out, rank / groups]
  FactorPtr change;                    // [d_out, d_in]: dW itself, where it is no product; then a and b are null.
  std::int64_t rank_in = 0;            // The sum of the clients' ranks.
  std::optional<Deviation> deviation;  // Where it is known without further work: after recompression.
};

// One tensor that is no LoRA factor, as [elements, 1]; or one that all clients have byte by byte, which is no float.
struct CombinedTensor {
  TensorSpec spec;
  FactorPtr values;  // Null for the bytes below.
  TensorView same;   // Integer or boolean tensors, equal in all clients.
};

// Receives the result, modules ascending by name and then tensors ascending by name; the first error ends the report.
struct ResultSink {
  std::function<absl::Status(const CombinedModule&)> module;
  std::function<absl::Status(const CombinedTensor&)> tensor = [](const CombinedTensor&) { return absl::OkStatus(); };
};

}  // namespace cairn
