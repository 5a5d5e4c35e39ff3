// collective_devices DEVICE...: a process for each device ("cpu", "cuda:0", ...), which add numbers up together. Are
// they exact, how long does it take, and what do the others see when one is killed, or stopped, in the middle?
// Exit code 0: all as it must be. Times are only printed.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "server/tree/collective.h"

namespace cairn::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Numbers = std::vector<std::int64_t>;

constexpr int kRepeats = 20;
constexpr std::size_t kSizes[] = {10, 10'000, 1'000'000};
constexpr absl::Duration kJoinTimeout = absl::Seconds(60), kLossTimeout = absl::Seconds(5);
constexpr std::chrono::milliseconds kUntilLoss{300};
constexpr int kWhileConnecting[] = {500, 800, 1100, 1400};  // Milliseconds.

double Milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

Numbers Of(int rank, std::size_t size) {
  std::mt19937_64 random(rank + 1);
  Numbers numbers(size);
  for (std::int64_t& number : numbers) number = static_cast<std::int64_t>(random()) / 256;
  return numbers;
}

class Devices {
 public:
  Devices(std::vector<std::string> devices, std::string folder) : devices_(std::move(devices)), folder_(folder) {}

  // Rank 0 tells.
  absl::Status Sums(int rank) const {
    const auto start = Clock::now();
    CAIRN_ASSIGN_OR_RETURN(const auto group, Join(rank, devices_.size(), "sums", kJoinTimeout));
    if (rank == 0) std::printf("%zu members joined in %.0f ms\n", devices_.size(), Milliseconds(start));
    for (const std::size_t size : kSizes) CAIRN_RETURN_IF_ERROR(Exact(*group, rank, size));
    for (const std::size_t size : kSizes) CAIRN_RETURN_IF_ERROR(Time(*group, rank, size));
    return absl::OkStatus();
  }

  // The last member stops `after` it began to join: they come, connect, or have just done so. Not in a folder: a
  // process that stops while it has the lock of the store's file stops everybody.
  absl::Status Connecting(int rank, std::chrono::milliseconds after, const std::string& rendezvous) const {
    const int last = static_cast<int>(devices_.size()) - 1;
    const std::string attempt = absl::StrCat("connecting-", after.count());
    if (rank == last) SignalMyself(SIGSTOP, after);
    const auto start = Clock::now();
    const auto group = Join(rank, last + 1, attempt, kLossTimeout, rendezvous);
    if (group.ok()) return UntilLost(**group, rank);
    std::printf("member %d: joining failed after %.0f ms: %s\n", rank, Milliseconds(start),
                std::string(group.status().ToString()).c_str());
    return absl::IsUnavailable(group.status()) ? GoOn(rank, last, attempt) : group.status();
  }

  // The last member gets `signal` while it adds up. The others find out, and go on without it.
  absl::Status Loss(int rank, int signal, const std::string& attempt) const {
    const int others = static_cast<int>(devices_.size()) - 1;
    CAIRN_ASSIGN_OR_RETURN(auto group, Join(rank, others + 1, attempt, kLossTimeout));
    if (rank == others) SignalMyself(signal, kUntilLoss);
    CAIRN_RETURN_IF_ERROR(UntilLost(*group, rank));
    const auto start = Clock::now();
    group.reset();
    std::printf("member %d: left the group within %.0f ms\n", rank, Milliseconds(start));
    return GoOn(rank, others, attempt);
  }

 private:
  absl::StatusOr<std::unique_ptr<Collective>> Join(int rank, std::size_t size, const std::string& attempt,
                                                   absl::Duration timeout, const std::string& rendezvous = "") const {
    return Collective::Join({.rank = rank,
                             .size = static_cast<int>(size),
                             .rendezvous = rendezvous.empty() ? "file:" + folder_ : rendezvous,
                             .attempt = attempt,
                             .timeout = timeout,
                             .device = devices_[rank]});
  }

  static void SignalMyself(int signal, std::chrono::milliseconds after) {
    std::thread([=] {
      std::this_thread::sleep_for(after);
      kill(getpid(), signal);
    }).detach();
  }

  absl::Status GoOn(int rank, int others, const std::string& attempt) const {
    const auto start = Clock::now();
    CAIRN_ASSIGN_OR_RETURN(const auto group, Join(rank, others, attempt + "-again", kLossTimeout));
    std::printf("member %d: joined a group of %d in %.0f ms\n", rank, others, Milliseconds(start));
    Numbers ones(1000, 1);
    CAIRN_RETURN_IF_ERROR(group->AllReduceSum(absl::MakeSpan(ones)));
    return ones == Numbers(1000, others) ? absl::OkStatus() : absl::InternalError("wrong sum after the loss");
  }

  absl::Status Exact(Collective& group, int rank, std::size_t size) const {
    Numbers sums(size), greatest(size, std::numeric_limits<std::int64_t>::min());
    for (std::size_t other = 0; other < devices_.size(); ++other) {
      const Numbers numbers = Of(static_cast<int>(other), size);
      for (std::size_t i = 0; i < size; ++i) {
        sums[i] += numbers[i];
        greatest[i] = std::max(greatest[i], numbers[i]);
      }
    }
    Numbers values = Of(rank, size);
    CAIRN_RETURN_IF_ERROR(group.AllReduceSum(absl::MakeSpan(values)));
    if (values != sums) return absl::InternalError(absl::StrCat("wrong sums of ", size));
    values = Of(rank, size);
    CAIRN_RETURN_IF_ERROR(group.AllReduceMax(absl::MakeSpan(values)));
    if (values != greatest) return absl::InternalError(absl::StrCat("wrong maxima of ", size));
    if (rank == 0) std::printf("%zu numbers: sums and maxima are exact\n", size);
    return absl::OkStatus();
  }

  static absl::Status Time(Collective& group, int rank, std::size_t size) {
    Numbers values(size, 1);
    std::vector<double> times(kRepeats);
    for (double& time : times) {
      const auto start = Clock::now();
      CAIRN_RETURN_IF_ERROR(group.AllReduceMax(absl::MakeSpan(values)));
      time = Milliseconds(start);
    }
    std::sort(times.begin(), times.end());
    if (rank == 0) {
      std::printf("%zu numbers: median %.3f ms of %d (%.3f to %.3f)\n", size, times[kRepeats / 2], kRepeats, times[0],
                  times[kRepeats - 1]);
    }
    return absl::OkStatus();
  }

  // OK: the loss was found as it must be.
  static absl::Status UntilLost(Collective& group, int rank) {
    Numbers values(1'000'000, 0);
    for (int call = 0;; ++call) {
      const auto start = Clock::now();
      const absl::Status status = group.AllReduceSum(absl::MakeSpan(values));
      if (status.ok()) continue;
      std::printf("member %d: call %d failed after %.0f ms: %s\n", rank, call, Milliseconds(start),
                  std::string(status.ToString()).c_str());
      if (!absl::IsUnavailable(status)) return status;
      return group.AllReduceMax(absl::MakeSpan(values)) == status ? absl::OkStatus()
                                                                  : absl::InternalError("the loss was forgotten");
    }
  }

  const std::vector<std::string> devices_;
  const std::string folder_;
};

// A process for each rank, forked before anybody uses a GPU. Whether all but `lost` (-1: nobody) say OK.
bool Together(int size, int lost, absl::FunctionRef<absl::Status(int rank)> member) {
  std::vector<pid_t> processes(size);
  for (int rank = 0; rank < size; ++rank) {
    processes[rank] = fork();
    if (processes[rank] != 0) continue;
    const absl::Status status = member(rank);
    if (!status.ok()) std::printf("member %d: %s\n", rank, std::string(status.ToString()).c_str());
    std::fflush(stdout);
    _exit(status.ok() ? 0 : 1);
  }
  bool good = true;
  for (int rank = 0, status = 0; rank < size; ++rank) {
    if (rank == lost) continue;
    waitpid(processes[rank], &status, 0);
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (WIFSIGNALED(status)) std::printf("member %d died of signal %d\n", rank, WTERMSIG(status));
  }
  if (lost >= 0) {
    kill(processes[lost], SIGKILL);
    waitpid(processes[lost], nullptr, 0);
  }
  return good;
}

// A rendezvous in a process of its own: this one must not load libtorch before it forks.
class Server {
 public:
  Server() {
    int ends[2];
    if (pipe(ends) != 0) return;
    process_ = fork();
    if (process_ == 0) {
      const auto rendezvous = Rendezvous::Serve("127.0.0.1", 0);
      const std::string name = rendezvous.ok() ? (*rendezvous)->name() : rendezvous.status().ToString();
      if (write(ends[1], name.data(), name.size()) < 0) _exit(1);
      while (true) pause();
    }
    char name[256];
    name_.assign(name, std::max<ssize_t>(read(ends[0], name, sizeof name), 0));
    close(ends[0]);
    close(ends[1]);
  }
  ~Server() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& name() const { return name_; }

 private:
  pid_t process_ = -1;
  std::string name_;
};

int Main(const std::vector<std::string>& names) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string folder = std::filesystem::temp_directory_path() / "collective-XXXXXX";
  if (names.size() < 2 || mkdtemp(folder.data()) == nullptr) {
    std::fprintf(stderr, "usage: collective_devices DEVICE DEVICE...\n");
    return 2;
  }
  const Devices devices(names, folder);
  const int size = static_cast<int>(names.size());
  std::printf("== sums on %s\n", absl::StrJoin(names, ", ").c_str());
  bool good = Together(size, -1, [&](int rank) { return devices.Sums(rank); });
  std::printf("== one is killed in the middle (timeout %s)\n", absl::FormatDuration(kLossTimeout).c_str());
  good = Together(size, size - 1, [&](int rank) { return devices.Loss(rank, SIGKILL, "killed"); }) && good;
  std::printf("== one stops in the middle (timeout %s)\n", absl::FormatDuration(kLossTimeout).c_str());
  good = Together(size, size - 1, [&](int rank) { return devices.Loss(rank, SIGSTOP, "stopped"); }) && good;
  const Server server;
  for (const int after : kWhileConnecting) {
    std::printf("== one stops %d ms after it began to join (timeout %s)\n", after,
                absl::FormatDuration(kLossTimeout).c_str());
    const auto connecting = [&](int rank) {
      return devices.Connecting(rank, std::chrono::milliseconds(after), server.name());
    };
    good = Together(size, size - 1, connecting) && good;
  }
  std::filesystem::remove_all(folder);
  std::printf(good ? "all as it must be\n" : "FAILED\n");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) { return cairn::testing::Main({argv + 1, argv + argc}); }
