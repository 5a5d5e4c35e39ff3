// Child processes that end with their parent.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"

namespace cairn {

struct ProcessSpec {
  std::vector<std::string> arguments;                            // The first is the path of the executable.
  std::vector<std::pair<std::string, std::string>> environment;  // Besides the parent's.
  std::filesystem::path log;                                     // Standard output and error are appended to it.
  bool input = false;  // Whether Write is used; else there is nothing to read.
};

// One running child. It is in a process group of its own, so that Ctrl-C reaches only the parent, which ends it in
// order; the kernel kills it when the thread that spawned it dies. Destruction terminates it.
class ChildProcess {
 public:
  // NOT_FOUND or PERMISSION_DENIED when the executable cannot be run.
  static absl::StatusOr<ChildProcess> Spawn(const ProcessSpec& spec);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  int output() const { return output_.get(); }  // For poll; not blocking.
  // To its standard input. UNAVAILABLE when the child has closed it. REQUIRES: ProcessSpec::input.
  absl::Status Write(absl::string_view text);
  // The lines that the child wrote to its standard output since the last call. They are in the log as well.
  std::vector<std::string> ReadLines();
  // The exit code once it has ended: 128 + the signal's number when a signal ended it.
  std::optional<int> ExitCode();
  // SIGTERM, and SIGKILL for what is still there after `grace`.
  void Terminate(absl::Duration grace = absl::Seconds(3));

 private:
  ChildProcess(pid_t pid, UniqueFd input, UniqueFd output, UniqueFd log);
  pid_t pid_ = -1;
  UniqueFd input_, output_, log_;
  std::string partial_;  // A line without its end yet.
  std::optional<int> exit_code_;
};

// The last `lines` lines of a file; empty when it cannot be read.
std::string TailOf(const std::filesystem::path& file, int lines);

}  // namespace cairn
