#include "base/lost_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>

namespace cairn {
namespace {

std::atomic<std::uint64_t> lost = 0;                             // Pages, in the life of the process.
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);  // A signal handler counts.
thread_local std::atomic<std::uint64_t> lost_here = 0;           // By this thread, on which the handler runs.
thread_local std::atomic<LostPagesGuard::Readers> readers_here = LostPagesGuard::Readers::kMany;
std::atomic<std::uintptr_t> page_bytes = 0;

std::mutex mutex;  // For the rest.
int guards = 0;
struct sigaction before_guards;
std::uint64_t lost_before_guards = 0;

// Of the calls here mmap is not on POSIX's list of those that a handler may make; on Linux it is one system call.
void OnBusError(int signal, siginfo_t* info, void*) {
  const int error = errno;
  const std::uintptr_t bytes = page_bytes;
  const std::uintptr_t page = reinterpret_cast<std::uintptr_t>(info->si_addr) / bytes * bytes;
  const bool replaced =
      info->si_code == BUS_ADRERR && ::mmap(reinterpret_cast<void*>(page), bytes, PROT_READ,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
  if (!replaced) std::signal(signal, SIG_DFL);  // The access is made again, and ends the process.
  if (readers_here == LostPagesGuard::Readers::kMany) lost += 1;
  lost_here += 1;
  errno = error;
}

void Install() {
  page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  lost_before_guards = lost;
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, &before_guards);
}

absl::Status LostSince(std::uint64_t before) { return lost == before ? absl::OkStatus() : LostPagesGuard::Error(); }

}  // namespace

LostPagesGuard::LostPagesGuard(Readers readers) : lost_before_(lost), lost_here_before_(lost_here), readers_(readers) {
  if (readers_ == Readers::kOne) readers_here = Readers::kOne;
  std::lock_guard lock(mutex);
  if (guards++ == 0) Install();
}

LostPagesGuard::~LostPagesGuard() {
  if (readers_ == Readers::kOne) readers_here = Readers::kMany;
  std::lock_guard lock(mutex);
  if (--guards == 0) ::sigaction(SIGBUS, &before_guards, nullptr);
}

absl::Status LostPagesGuard::Lost() const { return LostSince(lost_before_); }

absl::Status LostPagesGuard::LostHere() const {
  return lost_here == lost_here_before_ ? absl::OkStatus() : LostPagesGuard::Error();
}

absl::Status LostPagesGuard::Check() {
  std::lock_guard lock(mutex);
  return LostSince(guards == 0 ? lost.load() : lost_before_guards);
}

absl::Status LostPagesGuard::Error() {
  return absl::DataLossError("an input file became shorter, or could not be read, while it was in use");
}

}  // namespace cairn
