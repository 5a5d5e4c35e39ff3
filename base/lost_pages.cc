#include "base/lost_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace cairn {
namespace {

volatile std::sig_atomic_t lost = 0;
std::uintptr_t page_bytes = 0;

// Of the calls here mmap is not on POSIX's list of those that a handler may make; on Linux it is one system call.
void OnBusError(int signal, siginfo_t* info, void*) {
  const int error = errno;
  const std::uintptr_t page = reinterpret_cast<std::uintptr_t>(info->si_addr) / page_bytes * page_bytes;
  const bool replaced =
      info->si_code == BUS_ADRERR && ::mmap(reinterpret_cast<void*>(page), page_bytes, PROT_READ,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
  if (!replaced) std::signal(signal, SIG_DFL);  // The access is made again, and ends the process.
  lost = 1;
  errno = error;
}

}  // namespace

LostPagesGuard::LostPagesGuard() {
  lost = 0;
  page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &old_);
}

LostPagesGuard::~LostPagesGuard() { sigaction(SIGBUS, &old_, nullptr); }

absl::Status LostPagesGuard::Check() { return lost ? Error() : absl::OkStatus(); }

absl::Status LostPagesGuard::Error() {
  return absl::DataLossError("an input file became shorter, or could not be read, while it was in use");
}

}  // namespace cairn
