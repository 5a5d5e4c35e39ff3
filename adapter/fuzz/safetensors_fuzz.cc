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
  Check(cairn::FirstNonFinite(tensor.dtype, tensor.data.data(), count) <= count);
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
  config.rank = 2;
  config.alpha = 4;
  if (const auto adapter = cairn::ParseAdapter(bytes, config); adapter.ok()) {
    Check(CheckAgainstSpec(*adapter, SpecOf(*adapter)).ok());
    CheckFinite(*adapter).IgnoreError();
  }
  return 0;
}
