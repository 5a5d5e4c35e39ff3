// A group of trainers on a terminal: a progress bar and one live line per client. Elsewhere: a plain line every few
// seconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "simulation/trainer_group.h"

namespace cairn {

class TerminalView final : public GroupView {
 public:
  // `title` heads the group; its work is `rounds` rounds of each trainer.
  TerminalView(std::string title, std::uint64_t rounds);
  // Ends the live part: the cursor stands below it.
  ~TerminalView() override;
  void Show(const std::vector<TrainerState>& states) override;

 private:
  void ShowLive(const std::vector<TrainerState>& states);
  void ShowPlain(const std::vector<TrainerState>& states);

  const std::string title_;
  const std::uint64_t rounds_;
  const bool live_;
  const absl::Time started_;
  absl::Time last_plain_;
  int lines_ = 0;  // On the terminal, to be overwritten.
};

// Part of the whole work that is done, 0 to 1.
double ProgressOf(const std::vector<TrainerState>& states, std::uint64_t rounds);

// Of the terminal that standard output is; 80 columns and 24 rows when it is none.
std::size_t TerminalColumns();
std::size_t TerminalRows();

// "[######----]", `width` characters inside.
std::string ProgressBar(double part, int width);

// "  gpl          round 2 training     24/40   loss 1.623 held-out 1.765 > 1.738": under 80 columns.
std::string StateLine(const TrainerState& state);

}  // namespace cairn
