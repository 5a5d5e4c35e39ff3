// "NAME[:key=value,...]": how rules and guards are named on the command line and in the configuration.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

// Options of one rule. A rule takes what it knows and then asks Finish, which refuses the rest by name.
class RuleOptions {
 public:
  RuleOptions() = default;
  // INVALID_ARGUMENT: not of that form, or a key twice.
  static absl::StatusOr<RuleOptions> Parse(absl::string_view text);

  const std::string& name() const { return name_; }
  // The value of a key as a number within [min, max], or `otherwise` when it is not there. INVALID_ARGUMENT names rule,
  // key, what was expected and what came.
  absl::StatusOr<double> TakeNumber(absl::string_view key, double otherwise, double min, double max);
  absl::StatusOr<std::int64_t> TakeInteger(absl::string_view key, std::int64_t otherwise, std::int64_t min,
                                           std::int64_t max);
  // The value of a key as it is.
  std::optional<std::string> TakeText(absl::string_view key);
  // One of `choices`; the first of them when the key is not there.
  absl::StatusOr<std::string> TakeChoice(absl::string_view key, std::initializer_list<absl::string_view> choices);
  // INVALID_ARGUMENT when a key was not taken: the rule does not know it.
  absl::Status Finish() const;

 private:
  std::string name_;
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace cairn
