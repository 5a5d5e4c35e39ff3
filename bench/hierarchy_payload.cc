#include "bench/hierarchy_payload.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/testing.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::bench {
namespace {

constexpr std::int64_t kDim = 4096;
constexpr std::int64_t kRank = 16;
constexpr std::uint64_t kDimBytes = kRank * sizeof(float);  // That one row or column of a weight adds.
constexpr std::uint64_t kModuleBytes = 2 * kDim * kDimBytes;
constexpr std::uint64_t kBytesMin = 100'000;
constexpr std::size_t kReadBytes = limits::kChunkBytes;

std::vector<ModuleSpec> ModulesOf(std::uint64_t bytes) {
  std::vector<ModuleSpec> modules;
  for (; bytes >= kModuleBytes; bytes -= kModuleBytes) {
    modules.push_back({absl::StrCat("layer.", 10'000 + modules.size()), kDim, kDim});
  }
  const auto half = static_cast<std::int64_t>(bytes / kDimBytes / 2);
  if (half >= kRank) modules.push_back({absl::StrCat("layer.", 10'000 + modules.size()), half, half});
  return modules;
}

}  // namespace

absl::StatusOr<HierarchyPayload> MakeHierarchyPayload(std::uint64_t bytes) {
  if (bytes < kBytesMin) return absl::InvalidArgumentError(absl::StrCat("updates of ", bytes, " bytes are too small"));
  const testing::UpdateBytes update = testing::MakeUpdateBytes(1, ModulesOf(bytes), kRank, 2 * kRank, DType::kF32);
  HierarchyPayload payload{UniqueFd(memfd_create("cairn-payload", 0)), update.safetensors.size(), update.config_json};
  if (!payload.fd) return ErrnoStatus(errno, "create", "the payload");
  CAIRN_RETURN_IF_ERROR(WriteAll(payload.fd.get(), update.safetensors, "the payload"));
  return payload;
}

absl::Status Land(int fd, absl::Span<char> to) {
  for (std::size_t at = 0; at < to.size();) {
    const ssize_t count = pread(fd, to.data() + at, std::min(kReadBytes, to.size() - at), static_cast<off_t>(at));
    if (count <= 0) return ErrnoStatus(errno, "read", "the payload");
    at += static_cast<std::size_t>(count);
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
