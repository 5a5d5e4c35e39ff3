// Three ways from many adapter files to one: copying their bytes, Cairn's, and the obvious one with libtorch.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "adapter/dtype.h"

namespace cairn::bench {

struct CombineJob {
  std::vector<std::filesystem::path> inputs;  // PEFT directories.
  std::filesystem::path out;                  // One file; not there yet.
  std::string rule;                           // "stack" or "mean".
  DType dtype = DType::kF32;                  // Of the output, the same as the inputs'.
  int threads = 1;
};

// All input files one after the other, from their mappings, in blocks as large as the writer's, and synced as it does.
absl::Status CopyBytes(const CombineJob& job);

// The code of `cairn aggregate`.
absl::Status CombineWithCairn(const CombineJob& job);

// Module by module in float32: at::cat of the factors, or a weighted sum; the result in memory, then written.
absl::Status CombineWithTorch(const CombineJob& job);

}  // namespace cairn::bench
