#include "bench/combine_cohort.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

std::vector<ModuleSpec> Modules() {
  std::vector<ModuleSpec> modules;
  for (int layer = 0; layer < kLlamaLayers; ++layer) {
    for (const char* projection : {"q_proj", "v_proj"}) {
      modules.push_back({absl::StrCat("model.layers.", layer, ".self_attn.", projection), kLlamaDim, kLlamaDim});
    }
  }
  std::sort(modules.begin(), modules.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  return modules;
}

}  // namespace

absl::StatusOr<std::vector<fs::path>> WriteCohort(const fs::path& directory, int clients, DType dtype) {
  std::vector<fs::path> cohort;
  for (int client = 0; client < clients; ++client) {
    const testing::UpdateBytes update =
        testing::MakeUpdateBytes(client + 1, Modules(), kLlamaRank, 2 * kLlamaRank, dtype);
    cohort.push_back(directory / absl::StrCat("client-", 1000 + client));
    fs::create_directories(cohort.back());
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(cohort.back() / kAdapterConfigFile, update.config_json));
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(cohort.back() / kAdapterModelFile, update.safetensors));
  }
  return cohort;
}

}  // namespace cairn::bench
