#include "aggregators/kernels/add_product.h"

#include <ATen/ATen.h>

#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

// libtorch has no view of const memory; these tensors are only read.
at::Tensor View(absl::Span<const double> values, std::int64_t rows, std::int64_t columns) {
  return at::from_blob(const_cast<double*>(values.data()), {rows, columns}, at::kDouble);
}

}  // namespace

absl::Status AddProduct(absl::Span<const double> left, absl::Span<const double> right, bool transposed,
                        std::int64_t rank, std::int64_t columns, absl::Span<double> w) {
  return CatchTorch("matrix product", [&]() -> absl::Status {
    const at::InferenceMode no_gradients;
    const auto rows = static_cast<std::int64_t>(w.size()) / columns;
    at::Tensor sum = View(w, rows, columns);
    sum.addmm_(View(left, rows, rank), transposed ? View(right, columns, rank).t() : View(right, rank, columns));
    return absl::OkStatus();
  });
}

}  // namespace cairn::kernels
