#include "bench/resident.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace cairn::bench {

namespace {

constexpr std::int64_t kTextBytesMax = 100'000;

// In bytes, of a line `name` of kB; 0 where there is none.
std::uint64_t Field(absl::string_view text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::uint64_t kib = 0;
    if (absl::ConsumePrefix(&line, name) && absl::ConsumeSuffix(&line, " kB") && absl::SimpleAtoi(line, &kib)) {
      return kib * 1024;
    }
  }
  return 0;
}

}  // namespace

absl::StatusOr<ResidentMemory> ResidentMemoryOf(pid_t pid) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(absl::StrCat("/proc/", pid, "/status"), kTextBytesMax));
  ResidentMemory memory{Field(text, "VmHWM:"), 0, Field(text, "RssAnon:"), Field(text, "RssFile:"),
                        Field(text, "RssShmem:")};
  memory.now = memory.anonymous + memory.file + memory.shared;
  return memory;
}

absl::StatusOr<ProportionalMemory> ProportionalMemoryOf(pid_t pid) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(absl::StrCat("/proc/", pid, "/smaps_rollup"), kTextBytesMax));
  return ProportionalMemory{Field(text, "Pss:"), Field(text, "Pss_Anon:"), Field(text, "Pss_File:"),
                            Field(text, "Pss_Shmem:")};
}

absl::StatusOr<std::uint64_t> AvailableMemory() {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile("/proc/meminfo", kTextBytesMax));
  return Field(text, "MemAvailable:");
}

}  // namespace cairn::bench
