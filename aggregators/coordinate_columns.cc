#include "aggregators/coordinate_columns.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "aggregators/kernels/add_product.h"
#include "aggregators/module_values.h"
#include "aggregators/read_finite.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

class Product final : public DenseColumn {
 public:
  // Of one group.
  struct Part {
    std::vector<double> a;  // [rank, d_in]
    FactorPtr b;            // [rows, rank], with the scale.
  };
  Product(std::vector<Part> parts, std::int64_t columns) : parts_(std::move(parts)), columns_(columns) {}

  bool stored_as_floats() const override { return false; }
  const float* Read(std::int64_t, std::size_t, std::vector<float>&) const override { return nullptr; }

  absl::Status AddTo(std::int64_t first, absl::Span<double> out) const override {
    const std::int64_t rows = parts_[0].b->rows(), end = first + static_cast<std::int64_t>(out.size()) / columns_;
    std::vector<double> left;
    for (std::int64_t row = first; row < end;) {
      const Part& part = parts_[row / rows];
      const std::int64_t count = std::min(end, (row / rows + 1) * rows) - row, rank = part.b->columns();
      left.resize(count * rank);
      part.b->Read(row % rows, absl::MakeSpan(left));
      CAIRN_RETURN_IF_ERROR(kernels::AddProduct(left, part.a, false, rank, columns_,
                                                out.subspan((row - first) * columns_, count * columns_)));
      row += count;
    }
    return absl::OkStatus();
  }

 private:
  std::vector<Part> parts_;
  std::int64_t columns_;
};

class Tensor final : public DenseColumn {
 public:
  explicit Tensor(const DenseTensor& tensor) : tensor_(tensor) {}

  absl::Status AddTo(std::int64_t first, absl::Span<double> out) const override {
    std::vector<double> values(out.size());
    const DType dtype = tensor_.view.dtype;
    ToDouble(dtype, tensor_.view.data.data() + first * SizeOf(dtype), values.size(), values.data());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += tensor_.scale * values[i];
    return absl::OkStatus();
  }

  bool stored_as_floats() const override { return tensor_.scale == 1 && tensor_.view.dtype != DType::kF64; }
  const float* Read(std::int64_t first, std::size_t count, std::vector<float>& room) const override {
    const DType dtype = tensor_.view.dtype;
    const char* const values = tensor_.view.data.data() + first * SizeOf(dtype);
    const bool aligned = reinterpret_cast<std::uintptr_t>(values) % alignof(float) == 0;
    if (dtype == DType::kF32 && aligned) return reinterpret_cast<const float*>(values);
    room.resize(count);
    ToFloat(dtype, values, count, room.data());
    return room.data();
  }

 private:
  const DenseTensor& tensor_;
};

}  // namespace

absl::StatusOr<DenseColumnPtr> ProductColumn(const LoraModule& module) {
  std::vector<Product::Part> parts;
  for (std::int64_t g = 0; g < module.layer.groups; ++g) {
    const LoraModule group = GroupOf(module, g);
    CAIRN_ASSIGN_OR_RETURN(const FactorPtr a, FactorA(group));
    CAIRN_ASSIGN_OR_RETURN(std::vector<double> values, ReadFinite<double>(*a));
    parts.push_back({std::move(values), ColumnsOf({{module.scale, group.b}})});
  }
  return std::make_unique<const Product>(std::move(parts), module.d_in);
}

DenseColumnPtr TensorColumn(const DenseTensor& tensor) { return std::make_unique<const Tensor>(tensor); }

}  // namespace cairn::internal
