// Finds text that repeats other text: runs of kSharedWords words, letters and digits only, case ignored.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "absl/strings/string_view.h"

namespace cairn {

class SharedWords {
 public:
  explicit SharedWords(std::size_t run_words) : run_words_(run_words) {}
  void Add(absl::string_view text);
  // True when a run of words of `text` is in an added text.
  bool In(absl::string_view text) const;

 private:
  std::vector<std::uint64_t> Runs(absl::string_view text) const;
  std::size_t run_words_;
  std::unordered_set<std::uint64_t> runs_;
};

}  // namespace cairn
