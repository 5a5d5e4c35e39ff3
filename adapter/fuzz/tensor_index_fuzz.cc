// An index that parses names files of its own folder only, and every tensor once.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "adapter/tensor_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto index = cairn::ParseTensorIndex({reinterpret_cast<const char*>(data), size});
  if (!index.ok()) return 0;
  if (index->empty()) std::abort();
  for (const auto& [tensor, file] : *index) {
    const bool plain = absl::EndsWith(file, ".safetensors") && file.find('/') == file.npos && file.front() != '.';
    if (tensor.empty() || !plain || file.find('\0') != file.npos) std::abort();
  }
  return 0;
}
