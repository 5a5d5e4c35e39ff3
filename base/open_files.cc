#include "base/open_files.h"

#include <sys/resource.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace cairn {

absl::Status AllowOpenFiles(std::size_t more) {
  constexpr rlim_t kOthers = 64;  // Standard streams, locks, libraries' own.
  const rlim_t needed = more + kOthers;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return absl::OkStatus();
  if (limit.rlim_max < needed) {
    return absl::ResourceExhaustedError(absl::StrCat(more, " files have to be open at a time, which takes `ulimit -n ",
                                                     needed, "`; the limit is ", limit.rlim_max));
  }
  limit.rlim_cur = needed;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("ulimit -n ", needed, ": ", std::generic_category().message(errno)));
}

}  // namespace cairn
