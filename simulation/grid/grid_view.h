// The progress of a grid: on a terminal a bar and one line for each cell under way; elsewhere a plain line now and
// then.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "simulation/grid/cell.h"

namespace cairn {

struct GridProgress {
  std::size_t cells = 0, done = 0;
  std::size_t before = 0;  // Of those done, by an earlier run.
  std::size_t failed = 0;  // Of those done.
  absl::Duration elapsed;  // Of this run.
};

// "[###-----]  38 %  388 of 1026 cells, 1.4 a second, 8 min left, 2 failed"
std::string ProgressLine(const GridProgress& progress);

// The same with a line for each cell under way, in at most `rows` lines (2 or more): "  and 7 more" for those that do
// not fit.
std::vector<std::string> LiveLines(const GridProgress& progress, const std::vector<const Cell*>& running,
                                   std::size_t rows);
// In one line: with the cell that is under way longest, the first of `running`.
std::string PlainLine(const GridProgress& progress, const std::vector<const Cell*>& running);

class GridView {
 public:
  GridView();
  // Ends the live part: the cursor stands below it.
  ~GridView();
  void Show(const GridProgress& progress, const std::vector<const Cell*>& running);
  // A line that stays.
  void Tell(const std::string& line);

 private:
  void Clear();

  const bool live_;
  absl::Time last_ = absl::InfinitePast();
  int lines_ = 0;  // On the terminal, to be overwritten.
};

}  // namespace cairn
