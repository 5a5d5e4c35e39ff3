// A line on a terminal that says how far a task is.
#pragma once

#include <string>

namespace cairn {

// Writes to stderr, and only when that is a terminal: "combining  [########------------]  41 %".
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();  // Removes the line.
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(double part);  // 0 to 1.

 private:
  const std::string label_;
  const bool terminal_;
  int shown_ = -1;  // Per cent.
};

}  // namespace cairn
