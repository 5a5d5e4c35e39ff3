// A file that parses must survive being written and read again with the same tensors, and views must stay inside it.
#include <cstdint>
#include <cstdlib>

#include "adapter/lora.h"
#include "adapter/safetensors.h"

namespace {

void Check(bool property) {
  if (!property) std::abort();
}

bool Same(const cairn::TensorView& x, const cairn::TensorView& y) {
  return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.data == y.data;
}

void CheckRoundTrip(const cairn::Safetensors& file) {
  const auto written = cairn::SerializeSafetensors(file.tensors, file.metadata);
  Check(written.ok());
  const auto again = cairn::ParseSafetensors(*written);
  Check(again.ok());
  Check(again->metadata == file.metadata);
  Check(again->tensors.size() == file.tensors.size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) Check(Same(file.tensors[i], again->tensors[i]));
}

// Touches every byte, so that a sanitizer sees a view that leaves the file.
void ReadAll(const cairn::TensorView& tensor) {
  const auto count = static_cast<std::size_t>(tensor.elements());
  Check(tensor.data.size() == count * SizeOf(tensor.dtype));
  if (!cairn::IsFloat(tensor.dtype)) return;
  Check(cairn::FirstNonFinite(tensor.dtype, tensor.data.data(), count) <= count);
}

void ReadGroups(const cairn::LoraModule& module) {
  Check(module.rank % module.layer.groups == 0 && module.d_out % module.layer.groups == 0);
  for (std::int64_t group = 0; group < module.layer.groups; ++group) {
    const cairn::LoraModule part = GroupOf(module, group);
    ReadAll(part.a);
    ReadAll(part.b);
  }
}

// Every tensor of the file must be somewhere, and the adapter must fit its own spec.
void CheckAdapter(absl::string_view bytes, const cairn::PeftConfig& config, std::size_t tensors) {
  const auto adapter = cairn::ParseAdapter(bytes, config);
  if (!adapter.ok()) return;
  const cairn::AdapterSpec spec = SpecOf(*adapter);
  Check(CheckSpec(spec).ok());
  Check(CheckAgainstSpec(*adapter, spec).ok());
  Check(UnionOf(spec, spec)->modules == spec.modules);
  CheckFinite(*adapter).IgnoreError();
  std::size_t parts = adapter->tensors.size();
  for (const cairn::LoraModule& module : adapter->modules) {
    parts += module.core ? 3 : 2;
    ReadGroups(module);
    Check(*cairn::LayerFromName(NameOf(module.layer)) == module.layer);
  }
  Check(parts == tensors);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = cairn::ParseSafetensors(bytes);
  Check(file.ok() == cairn::ReadSafetensorsHeader(bytes, size).ok());
  if (!file.ok()) return 0;
  for (const cairn::TensorView& tensor : file->tensors) ReadAll(tensor);
  CheckRoundTrip(*file);

  cairn::PeftConfig config;
  config.rank = 4;
  config.alpha = 4;
  CheckAdapter(bytes, config, file->tensors.size());
  config.bias = cairn::PeftConfig::Bias::kAll;
  config.lora_bias = true;
  config.modules_to_save = {"head"};
  CheckAdapter(bytes, config, file->tensors.size());
  config.kind = cairn::AdapterKind::kAveraged;
  CheckAdapter(bytes, config, file->tensors.size());
  return 0;
}
