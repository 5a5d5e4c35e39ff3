#include "cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace cairn {
namespace {

constexpr int kWidth = 30;

}  // namespace

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (terminal_ && shown_ >= 0) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::Show(double part) {
  const int percent = static_cast<int>(100 * std::clamp(part, 0.0, 1.0));
  if (!terminal_ || percent == shown_) return;
  shown_ = percent;
  const int full = percent * kWidth / 100;
  std::fprintf(stderr, "\r%s  [%s%s] %3d %%\x1b[K", label_.c_str(), std::string(full, '#').c_str(),
               std::string(kWidth - full, '-').c_str(), percent);
  std::fflush(stderr);
}

}  // namespace cairn
