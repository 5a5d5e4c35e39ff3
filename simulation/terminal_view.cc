#include "simulation/terminal_view.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace cairn {
namespace {

constexpr absl::Duration kPlainEvery = absl::Seconds(5);
constexpr int kBarWidth = 30;

// The number of steps is known once the first one is told.
bool IsStepping(const TrainerState& state) { return state.phase == "training" && state.steps > 0; }

// What the client is busy with, by numbers where there are some.
std::string Detail(const TrainerState& state) {
  if (IsStepping(state)) return absl::StrFormat("%4d/%-4d", state.step, state.steps);
  if ((state.phase == "pushing" || state.phase == "pulling") && state.transfer_total > 0) {
    return absl::StrFormat("%3d %%    ", 100 * state.transfer_done / state.transfer_total);
  }
  return std::string(9, ' ');
}

// The base's loss and the latest version's.
std::string HeldOut(const TrainerState& state) {
  if (state.held_out.empty()) return "";
  const double first = state.held_out.begin()->second, last = state.held_out.rbegin()->second;
  if (state.held_out.size() == 1) return absl::StrFormat("held-out %.3f", first);
  return absl::StrFormat("held-out %.3f > %.3f", first, last);
}

double ProgressOf(const TrainerState& state, std::uint64_t rounds) {
  if (state.done) return 1;
  if (state.round == 0) return 0;
  // A trainer that waits does so for the others, to end the same round.
  const bool finished = state.phase == "pushing" || state.phase == "waiting";
  const double within = finished ? 1 : IsStepping(state) ? 1.0 * state.step / state.steps : 0;
  const double before = static_cast<double>(state.round - 1);
  return std::min(1.0, (before + within) / static_cast<double>(rounds));
}

}  // namespace

double ProgressOf(const std::vector<TrainerState>& states, std::uint64_t rounds) {
  double sum = 0;
  for (const TrainerState& state : states) sum += ProgressOf(state, rounds);
  return states.empty() ? 0 : sum / static_cast<double>(states.size());
}

std::size_t TerminalColumns() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::size_t TerminalRows() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return 24;
}

std::string ProgressBar(double part, int width) {
  const int full = static_cast<int>(std::clamp(part, 0.0, 1.0) * width);
  return absl::StrCat("[", std::string(full, '#'), std::string(width - full, '-'), "]");
}

std::string StateLine(const TrainerState& state) {
  const std::string loss = state.loss > 0 ? absl::StrFormat("loss %.3f", state.loss) : std::string(10, ' ');
  return absl::StrFormat("  %-12s round %d %-10s %s %s %s", state.name, state.round, state.phase, Detail(state), loss,
                         HeldOut(state));
}

TerminalView::TerminalView(std::string title, std::uint64_t rounds)
    : title_(std::move(title)), rounds_(rounds), live_(isatty(STDOUT_FILENO) == 1), started_(absl::Now()) {
  if (!live_) std::printf("%s\n", title_.c_str());
}

TerminalView::~TerminalView() {
  if (!live_) std::printf("  %.0f s\n", absl::ToDoubleSeconds(absl::Now() - started_));
  std::fflush(stdout);
}

void TerminalView::Show(const std::vector<TrainerState>& states) {
  live_ ? ShowLive(states) : ShowPlain(states);
  std::fflush(stdout);
}

void TerminalView::ShowLive(const std::vector<TrainerState>& states) {
  const std::size_t columns = TerminalColumns();
  const double part = ProgressOf(states, rounds_);
  std::vector<std::string> lines = {absl::StrFormat("%-28s %s %3.0f %%  %3.0f s", title_, ProgressBar(part, kBarWidth),
                                                    100 * part, absl::ToDoubleSeconds(absl::Now() - started_))};
  for (const TrainerState& state : states) lines.push_back(StateLine(state));
  std::string out = lines_ > 0 ? absl::StrCat("\x1b[", lines_, "A") : "";
  for (const std::string& line : lines) absl::StrAppend(&out, "\r", line.substr(0, columns - 1), "\x1b[K\n");
  std::fwrite(out.data(), 1, out.size(), stdout);
  lines_ = static_cast<int>(lines.size());
}

void TerminalView::ShowPlain(const std::vector<TrainerState>& states) {
  const absl::Time now = absl::Now();
  if (now - last_plain_ < kPlainEvery) return;
  last_plain_ = now;
  std::string line = absl::StrFormat("  %3.0f %%", 100 * ProgressOf(states, rounds_));
  for (const TrainerState& state : states) {
    absl::StrAppend(&line, "  ", state.name, " r", state.round, " ", state.phase);
    if (IsStepping(state)) absl::StrAppend(&line, " ", state.step, "/", state.steps);
  }
  std::printf("%s\n", line.c_str());
}

}  // namespace cairn
