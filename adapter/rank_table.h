// PEFT's rules for the rank and alpha of one module, prepared once for all modules of an adapter.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/peft_config.h"

namespace re2 {
class RE2;
}

namespace cairn {

// One key of rank_pattern or alpha_pattern. Most keys are paths, perhaps escaped or anchored by '^', and compare as
// text; others are compiled by RE2, whose time is linear in the module name whatever a stranger wrote.
class PatternKey {
 public:
  static absl::StatusOr<PatternKey> Compile(absl::string_view key);
  // re.match(r"(.*\.)?(KEY)$", module)
  bool Matches(absl::string_view module) const;
  bool is_regex() const { return regex_ != nullptr; }

 private:
  bool anchored_ = false;
  std::string path_;  // '\0' stands for an unescaped dot: any character.
  std::shared_ptr<const re2::RE2> regex_;
};

// `key` as text that matches the module of that full path only, as a regular expression of Python and of RE2.
std::string ExactPattern(absl::string_view module);

class RankTable {
 public:
  // INVALID_ARGUMENT when a pattern is not a regular expression or exceeds base/limits.h.
  static absl::StatusOr<RankTable> Compile(const PeftConfig& config);
  RankAndScale Of(absl::string_view module) const;

 private:
  std::int64_t rank_ = 0;
  double alpha_ = 0;
  bool rslora_ = false;
  std::vector<std::pair<PatternKey, std::int64_t>> ranks_;
  std::vector<std::pair<PatternKey, double>> alphas_;
};

}  // namespace cairn
