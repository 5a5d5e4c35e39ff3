#include "bench/combine_child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "bench/resident.h"

namespace cairn::bench {
namespace {

// Makes VmHWM start from what is resident now. Without the kernel's support it starts from the parent's.
void ForgetPeak() {
  if (std::FILE* file = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", file);
    std::fclose(file);
  }
}

absl::StatusOr<ChildResult> Measure(absl::FunctionRef<absl::Status(std::vector<double>& figures)> body) {
  using Clock = std::chrono::steady_clock;
  ForgetPeak();
  ChildResult result;
  CAIRN_ASSIGN_OR_RETURN(const ResidentMemory before, ResidentMemoryOf(getpid()));
  const Clock::time_point start = Clock::now();
  CAIRN_RETURN_IF_ERROR(body(result.figures));
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  CAIRN_ASSIGN_OR_RETURN(const ResidentMemory after, ResidentMemoryOf(getpid()));
  result.resident_start = before.now;
  result.resident_peak = after.peak;
  return result;
}

// On the pipe: the numbers as they are in memory, or '!' and a message.
std::string Encode(const absl::StatusOr<ChildResult>& result) {
  if (!result.ok()) return absl::StrCat("!", result.status().message());
  std::vector<double> numbers = {result->seconds, static_cast<double>(result->resident_start),
                                 static_cast<double>(result->resident_peak)};
  numbers.insert(numbers.end(), result->figures.begin(), result->figures.end());
  return absl::StrCat(
      "=", absl::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double)));
}

absl::StatusOr<ChildResult> Decode(const std::string& text) {
  if (text.empty()) return absl::InternalError("the measuring process died");
  if (text[0] != '=') return absl::InternalError(text.substr(1));
  std::vector<double> numbers((text.size() - 1) / sizeof(double));
  std::memcpy(numbers.data(), text.data() + 1, numbers.size() * sizeof(double));
  return ChildResult{numbers[0],
                     static_cast<std::uint64_t>(numbers[1]),
                     static_cast<std::uint64_t>(numbers[2]),
                     {numbers.begin() + 3, numbers.end()}};
}

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, count);
  return text;
}

}  // namespace

absl::StatusOr<ChildResult> MeasureInChild(absl::FunctionRef<absl::Status(std::vector<double>& figures)> body) {
  int ends[2];
  if (pipe(ends) != 0) return ErrnoStatus(errno, "create", "a pipe");
  UniqueFd from_child(ends[0]), to_parent(ends[1]);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "fork", "the measuring process");
  if (child == 0) {
    const absl::Status sent = WriteAll(to_parent.get(), Encode(Measure(body)), "the pipe");
    _exit(sent.ok() ? 0 : 1);
  }
  to_parent.Reset();
  const std::string text = ReadToEnd(from_child.get());
  waitpid(child, nullptr, 0);
  return Decode(text);
}

}  // namespace cairn::bench
