#include "base/interrupt.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(InterruptGuard, RemembersTheSignal) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(signal, SIG_DFL);
    const InterruptGuard guard;
    EXPECT_EQ(InterruptGuard::Check(), absl::OkStatus());
    std::raise(signal);
    EXPECT_EQ(InterruptGuard::Check().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(InterruptGuard::Signal(), signal);
  }
}

TEST(InterruptGuard, AHangUpThatIsIgnoredStaysSo) {
  std::signal(SIGHUP, SIG_IGN);  // As under nohup.
  {
    const InterruptGuard guard;
    std::raise(SIGHUP);
    EXPECT_EQ(InterruptGuard::Check(), absl::OkStatus());
  }
  std::signal(SIGHUP, SIG_DFL);
}

}  // namespace
}  // namespace cairn
