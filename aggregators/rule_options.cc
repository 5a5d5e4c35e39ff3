#include "aggregators/rule_options.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<RuleOptions> RuleOptions::Parse(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  RuleOptions options;
  options.name_ = std::string(parts.first);
  const auto malformed = [&] {
    return absl::InvalidArgumentError(absl::StrCat("expected NAME or NAME:key=value,..., got \"", text, "\""));
  };
  if (options.name_.empty() || (parts.second.empty() && text.size() != parts.first.size())) return malformed();
  if (parts.second.empty()) return options;
  for (absl::string_view item : absl::StrSplit(parts.second, ',')) {
    const std::vector<absl::string_view> pair = absl::StrSplit(item, absl::MaxSplits('=', 1));
    if (pair.size() != 2 || pair[0].empty() || pair[1].empty()) return malformed();
    if (!options.values_.emplace(std::string(pair[0]), std::string(pair[1])).second) {
      return absl::InvalidArgumentError(absl::StrCat(options.name_, ": ", pair[0], " is given twice"));
    }
  }
  return options;
}

absl::StatusOr<double> RuleOptions::TakeNumber(absl::string_view key, double otherwise, double min, double max) {
  const auto found = values_.find(key);
  if (found == values_.end()) return otherwise;
  double number = 0;
  if (!absl::SimpleAtod(found->second, &number) || !(number >= min && number <= max)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": ", key, ": expected a number from ", min, " to ", max, ", got \"", found->second, "\""));
  }
  values_.erase(found);
  return number;
}

absl::StatusOr<std::int64_t> RuleOptions::TakeInteger(absl::string_view key, std::int64_t otherwise, std::int64_t min,
                                                      std::int64_t max) {
  const auto found = values_.find(key);
  if (found == values_.end()) return otherwise;
  std::int64_t number = 0;
  if (!absl::SimpleAtoi(found->second, &number) || number < min || number > max) {
    return absl::InvalidArgumentError(absl::StrCat(name_, ": ", key, ": expected an integer from ", min, " to ", max,
                                                   ", got \"", found->second, "\""));
  }
  values_.erase(found);
  return number;
}

std::optional<std::string> RuleOptions::TakeText(absl::string_view key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return std::move(values_.extract(found).mapped());
}

absl::StatusOr<std::string> RuleOptions::TakeChoice(absl::string_view key,
                                                    std::initializer_list<absl::string_view> choices) {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::string(*choices.begin());
  std::string value = std::move(found->second);
  values_.erase(found);
  for (absl::string_view choice : choices) {
    if (value == choice) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ": ", key, ": expected ", absl::StrJoin(choices, " or "), ", got \"", value, "\""));
}

absl::Status RuleOptions::Finish() const {
  if (values_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name_, ": has no option \"", values_.begin()->first, "\""));
}

}  // namespace cairn
