#include "base/interrupt.h"

namespace cairn {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void OnSignal(int signal) { interrupted = signal; }

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  struct sigaction action = {};
  action.sa_handler = OnSignal;  // Without SA_RESTART: poll returns.
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
  sigaction(SIGHUP, nullptr, &old_hang_up_);
  if (old_hang_up_.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
  sigaction(SIGHUP, &old_hang_up_, nullptr);
}

absl::Status InterruptGuard::Check() { return interrupted ? absl::CancelledError("interrupted") : absl::OkStatus(); }

int InterruptGuard::Signal() { return interrupted; }

}  // namespace cairn
