#include "simulation/grid/grid_view.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "simulation/terminal_view.h"

namespace cairn {
namespace {

constexpr absl::Duration kLiveEvery = absl::Milliseconds(200), kPlainEvery = absl::Seconds(10);
constexpr int kBarWidth = 30;
constexpr std::size_t kRowsLeast = 3;

std::string TimeLeft(double seconds) {
  if (seconds < 90) return absl::StrFormat("%.0f s left", std::ceil(seconds));
  return absl::StrFormat("%.0f min left", std::ceil(seconds / 60));
}

}  // namespace

std::string ProgressLine(const GridProgress& progress) {
  const double part = progress.cells == 0 ? 1 : 1.0 * progress.done / progress.cells;
  std::string out = absl::StrFormat("%s %3.0f %%  %d of %d cells", ProgressBar(part, kBarWidth), std::floor(100 * part),
                                    progress.done, progress.cells);
  const double seconds = absl::ToDoubleSeconds(progress.elapsed);
  if (progress.done > progress.before && seconds > 0) {
    const double rate = (progress.done - progress.before) / seconds;
    absl::StrAppend(&out, absl::StrFormat(", %.2g a second", rate));
    const std::size_t left = progress.cells - progress.done;
    if (left > 0) absl::StrAppend(&out, ", ", TimeLeft(left / rate));
  }
  if (progress.failed > 0) absl::StrAppend(&out, ", ", progress.failed, " failed");
  return out;
}

std::vector<std::string> LiveLines(const GridProgress& progress, const std::vector<const Cell*>& running,
                                   std::size_t rows) {
  std::vector<std::string> lines = {ProgressLine(progress)};
  const std::size_t shown = running.size() < rows ? running.size() : rows - 2;
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(absl::StrCat("  ", TitleOf(*running[i])));
  if (shown < running.size()) lines.push_back(absl::StrCat("  and ", running.size() - shown, " more"));
  return lines;
}

std::string PlainLine(const GridProgress& progress, const std::vector<const Cell*>& running) {
  const std::string line = ProgressLine(progress);
  return running.empty() ? line : absl::StrCat(line, "; longest under way: ", TitleOf(*running.front()));
}

GridView::GridView() : live_(isatty(STDOUT_FILENO) == 1) {}

GridView::~GridView() { std::fflush(stdout); }

void GridView::Show(const GridProgress& progress, const std::vector<const Cell*>& running) {
  const absl::Time now = absl::Now();
  const bool ended = progress.done == progress.cells;
  if (!ended && now - last_ < (live_ ? kLiveEvery : kPlainEvery)) return;
  last_ = now;
  std::vector<std::string> lines = {PlainLine(progress, running)};
  if (live_) {
    // The cursor stands below the lines, in a row of its own.
    lines = LiveLines(progress, running, std::max(TerminalRows(), kRowsLeast) - 1);
    Clear();
    lines_ = static_cast<int>(lines.size());
  }
  for (const std::string& line : lines) {
    std::printf("%s\n", line.substr(0, live_ ? TerminalColumns() - 1 : std::string::npos).c_str());
  }
  std::fflush(stdout);
}

void GridView::Tell(const std::string& line) {
  Clear();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// Up to where the live part begins, and everything below.
void GridView::Clear() {
  if (lines_ > 0) std::printf("\r\x1b[%dA\x1b[J", lines_);
  lines_ = 0;
}

}  // namespace cairn
