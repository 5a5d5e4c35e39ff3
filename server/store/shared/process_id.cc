#include "server/store/shared/process_id.h"

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<ProcessId> FindProcess(pid_t pid) {
  constexpr std::size_t kStartField = 19;  // Counted behind the name: proc(5) calls it field 22.
  CAIRN_ASSIGN_OR_RETURN(const std::string stat, ReadFile(absl::StrCat("/proc/", pid, "/stat"), limits::kKiB));
  // The name, in parentheses, may hold spaces and parentheses itself.
  const std::size_t name_end = stat.rfind(") ");
  ProcessId process{pid, 0};
  if (name_end != std::string::npos) {
    const std::vector<absl::string_view> fields = absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
    if (fields.size() > kStartField && absl::SimpleAtoi(fields[kStartField], &process.start)) return process;
  }
  return absl::NotFoundError(absl::StrCat("/proc/", pid, "/stat names no start time"));
}

}  // namespace cairn
