#include "bench/resident.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace cairn::bench {

absl::StatusOr<ResidentMemory> ResidentMemoryOf(pid_t pid) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(absl::StrCat("/proc/", pid, "/status"), 100'000));
  auto field = [&](absl::string_view name) -> std::uint64_t {
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      std::uint64_t kib = 0;
      if (absl::ConsumePrefix(&line, name) && absl::ConsumeSuffix(&line, " kB") && absl::SimpleAtoi(line, &kib)) {
        return kib * 1024;
      }
    }
    return 0;
  };
  ResidentMemory memory{field("VmHWM:"), 0, field("RssAnon:"), field("RssFile:"), field("RssShmem:")};
  memory.now = memory.anonymous + memory.file + memory.shared;
  return memory;
}

}  // namespace cairn::bench
