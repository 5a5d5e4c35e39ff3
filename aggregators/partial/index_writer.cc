#include "absl/strings/escaping.h"
#include "aggregators/partial/bytes.h"
#include "aggregators/partial/index_fields.h"

namespace cairn::internal {
namespace {

void Write(const Held& held, ByteWriter& bytes) {
  bytes.Number128(held.examples);
  bytes.Number(held.rank_in);
  bytes.Number(static_cast<std::uint64_t>(held.frozen.size()));
  for (const auto& [part, frozen] : held.frozen) {
    bytes.Text(part);
    bytes.Text(frozen.holder);
    bytes.Text(NameOf(frozen.dtype));
    bytes.Text(frozen.bytes);
  }
}

void Write(const LoraModule& module, const Held& held, ByteWriter& bytes) {
  bytes.Text(module.name);
  bytes.Text(NameOf(module.layer));
  bytes.Number(module.d_in);
  bytes.Number(module.d_out);
  bytes.Number(module.rank);
  bytes.Number(module.scale);
  bytes.Number(static_cast<std::uint8_t>(module.core ? 1 : 0));
  Write(held, bytes);
}

void Write(const DenseTensor& tensor, const Held& held, ByteWriter& bytes) {
  bytes.Text(tensor.view.name);
  bytes.Text(NameOf(tensor.view.dtype));
  bytes.Number(static_cast<std::uint64_t>(tensor.view.shape.size()));
  for (const std::int64_t dim : tensor.view.shape) bytes.Number(dim);
  bytes.Number(tensor.scale);
  bytes.Number(static_cast<std::uint8_t>(tensor.absolute ? 1 : 0));
  Write(held, bytes);
}

void Write(const PeftConfig& config, ByteWriter& bytes) {
  bytes.Number(static_cast<std::uint8_t>(config.kind));
  for (const std::string* text : {&config.peft_type, &config.kind_reason, &config.json, &config.base_model}) {
    bytes.Text(*text);
  }
}

}  // namespace

std::string SerializeFields(const PartialState& state, int planes) {
  ByteWriter bytes;
  bytes.Text(state.combine);
  bytes.Number(static_cast<std::uint32_t>(planes));
  const Adapter& common = state.shape.common;
  Write(common.config, bytes);
  bytes.Number(static_cast<std::uint64_t>(common.modules.size()));
  for (const LoraModule& module : common.modules) Write(module, state.modules.at(module.name), bytes);
  bytes.Number(static_cast<std::uint64_t>(common.tensors.size()));
  for (const DenseTensor& tensor : common.tensors) Write(tensor, state.tensors.at(tensor.view.name), bytes);
  bytes.Number(static_cast<std::uint64_t>(state.contributors.size()));
  for (const Contributor& contributor : state.contributors) {
    bytes.Text(contributor.client);
    bytes.Raw(absl::HexStringToBytes(contributor.sha256));
    bytes.Number(contributor.examples);
  }
  bytes.Number(static_cast<std::uint64_t>(state.windows.size()));
  for (const kernels::BlockWindows& windows : state.windows) {
    bytes.Number(static_cast<std::int8_t>(windows.empty() ? 0 : windows.top()));
    for (int below = 0; below < kernels::kSumPlanes; ++below) bytes.Number(windows.plane(below));
  }
  return std::move(bytes).Take();
}

}  // namespace cairn::internal
