// The worker processes of a server.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"

namespace cairn::testing {

// Children of a process that are workers.
inline std::set<pid_t> WorkersOf(pid_t server) {
  std::set<pid_t> workers;
  for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", server, "/task"))) {
    const auto children = ReadFile(task.path() / "children", limits::kMiB);
    for (const absl::string_view text : absl::StrSplit(children.value_or(""), ' ', absl::SkipEmpty())) {
      const pid_t pid = std::stoi(std::string(text));
      const auto command = ReadFile(absl::StrCat("/proc/", pid, "/cmdline"), limits::kMiB);
      if (command.ok() && command->find("worker") != std::string::npos) workers.insert(pid);
    }
  }
  return workers;
}

template <typename Condition>
bool Eventually(Condition condition) {
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;
       absl::SleepFor(absl::Milliseconds(5))) {
    if (condition()) return true;
  }
  return false;
}

}  // namespace cairn::testing
