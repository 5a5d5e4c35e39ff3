#include "server/cpu_quota.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kRoot[] = "/sys/fs/cgroup";
constexpr std::size_t kTextBytesMax = 64 * 1024;

// The one of v2 has no controllers named: "0::/system.slice/cairn.service". In a container it is mostly "0::/".
fs::path OwnGroup() {
  const absl::StatusOr<std::string> text = ReadFile("/proc/self/cgroup", kTextBytesMax);
  for (absl::string_view line : absl::StrSplit(text.value_or(""), '\n')) {
    if (absl::ConsumePrefix(&line, "0::/")) return fs::path(kRoot) / std::string(line);
  }
  return kRoot;
}

}  // namespace

std::uint32_t CoresWithin(absl::string_view cpu_max, std::uint32_t cores) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::StripAsciiWhitespace(cpu_max), absl::MaxSplits(' ', 1));
  std::uint64_t quota = 0, period = 0;
  if (!absl::SimpleAtoi(parts.first, &quota) || !absl::SimpleAtoi(parts.second, &period) || period == 0) return cores;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(quota / period, 1, std::max(cores, 1u)));
}

std::uint32_t UsableCores() {
  std::uint32_t cores = std::max(std::thread::hardware_concurrency(), 1u);
  for (fs::path group = OwnGroup().lexically_normal(); group.string().size() >= sizeof(kRoot) - 1;
       group = group.parent_path()) {
    const absl::StatusOr<std::string> text = ReadFile(group / "cpu.max", kTextBytesMax);
    if (text.ok()) cores = CoresWithin(*text, cores);
  }
  return cores;
}

}  // namespace cairn
