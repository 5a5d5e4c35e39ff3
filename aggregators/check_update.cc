#include "aggregators/check_update.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status CheckMatrix(const LoraModule& module, const TensorView& view, std::array<std::int64_t, 2> expected) {
  const auto [rows, columns] = expected;
  if (view.shape.size() == 2 && view.shape[0] == rows && view.shape[1] == columns && IsFloat(view.dtype)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("module ", module.name, ": tensor ", view.name, ": expected floating-point numbers of shape [", rows,
                   ", ", columns, "], got ", NameOf(view.dtype), " [", absl::StrJoin(view.shape, ", "), "]"));
}

absl::Status CheckModule(const LoraModule& module) {
  if (module.rank <= 0 || module.rank > limits::kRankMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("module ", module.name, ": expected a rank from 1 to ", limits::kRankMax, ", got ", module.rank));
  }
  const std::int64_t groups = module.layer.groups;
  if (groups < 1 || module.rank % groups != 0 || module.d_out % groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat("module ", module.name, ": rank ", module.rank, " and d_out ",
                                                   module.d_out, " do not divide into ", groups, " groups"));
  }
  if (module.scale - module.scale != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("module ", module.name, ": expected a finite scale, got ", module.scale));
  }
  CAIRN_RETURN_IF_ERROR(CheckMatrix(module, module.a, {module.rank, module.d_in}));
  if (module.core) CAIRN_RETURN_IF_ERROR(CheckMatrix(module, *module.core, {module.rank, module.rank}));
  return CheckMatrix(module, module.b, {module.d_out, module.rank / groups});
}

// A view that lies about its size would be read past its end.
absl::Status CheckBytes(const TensorView& view) {
  const std::size_t bytes = static_cast<std::size_t>(view.elements()) * SizeOf(view.dtype);
  if (view.data.size() == bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", view.name, ": expected ", bytes, " bytes, got ", view.data.size()));
}

}  // namespace

absl::Status CheckUpdateShapes(const Adapter* adapter) {
  if (adapter == nullptr || (adapter->modules.empty() && adapter->tensors.empty())) {
    return absl::InvalidArgumentError("the update has no module and no tensor");
  }
  CAIRN_RETURN_IF_ERROR(CheckSpec(SpecOf(*adapter)));
  for (const LoraModule& module : adapter->modules) CAIRN_RETURN_IF_ERROR(CheckModule(module));
  return absl::OkStatus();
}

absl::Status CheckUpdateBytes(const Adapter& adapter) {
  for (const LoraModule& module : adapter.modules) {
    CAIRN_RETURN_IF_ERROR(CheckBytes(module.a));
    CAIRN_RETURN_IF_ERROR(CheckBytes(module.b));
    if (module.core) CAIRN_RETURN_IF_ERROR(CheckBytes(*module.core));
  }
  for (const DenseTensor& tensor : adapter.tensors) CAIRN_RETURN_IF_ERROR(CheckBytes(tensor.view));
  return absl::OkStatus();
}

absl::Status CheckUpdateValues(const Adapter& adapter) {
  CAIRN_RETURN_IF_ERROR(CheckUpdateBytes(adapter));
  return CheckFinite(adapter);
}

}  // namespace cairn
