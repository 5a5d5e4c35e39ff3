#include "bench/ingest_payload.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/testing.h"
#include "base/digest.h"
#include "base/status_macros.h"

namespace cairn::bench {
namespace {

// 128 modules of 16 x (4096 + 4096) float32: 64 MiB.
constexpr int kModules = 128;
constexpr std::int64_t kDim = 4096;
constexpr std::int64_t kRank = 16;

testing::UpdateBytes MakeUpdate() {
  std::vector<ModuleSpec> modules;
  for (int m = 0; m < kModules; ++m) modules.push_back({absl::StrCat("layer.", 100 + m), kDim, kDim});
  return testing::MakeUpdateBytes(1, modules, kRank, 2 * kRank, DType::kF32);
}

}  // namespace

Payload::Payload(char* data, std::size_t bytes, std::string sha256)
    : data_(data), bytes_(bytes), sha256_(std::move(sha256)) {}

Payload::~Payload() { munmap(data_, bytes_); }

absl::StatusOr<std::shared_ptr<const Payload>> MapPayload(int fd, std::size_t bytes, float last_value) {
  // Its digest touches every page. MAP_POPULATE would copy them all.
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return ErrnoStatus(errno, "map", "the payload");
  char* begin = static_cast<char*>(data);
  std::memcpy(begin + bytes - sizeof last_value, &last_value, sizeof last_value);
  return std::make_shared<const Payload>(begin, bytes, Sha256Hex({begin, bytes}));
}

absl::StatusOr<Payloads> MakePayloads(int clients) {
  const testing::UpdateBytes update = MakeUpdate();
  UniqueFd fd(memfd_create("cairn-payload", MFD_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "create", "the payload");
  CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), update.safetensors, "the payload"));
  Payloads payloads{update.config_json, {}};
  for (int client = 0; client < clients; ++client) {
    CAIRN_ASSIGN_OR_RETURN(auto payload, MapPayload(fd.get(), update.safetensors.size(), static_cast<float>(client)));
    payloads.clients.push_back(std::move(payload));
  }
  return payloads;
}

}  // namespace cairn::bench
