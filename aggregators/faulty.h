// f: how many clients may lie, as the option f of rules and guards says it.
#pragma once

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/rule_options.h"

namespace cairn {

// A count, or a part of the clients.
class Faulty {
 public:
  // "f=2": two clients. "f=0.2": a fifth of them, rounded down; also "f=0". Nothing when the option is not there.
  // INVALID_ARGUMENT: below 0, or a part of 0.5 or more, or a count that is not whole.
  static absl::StatusOr<std::optional<Faulty>> TakeIfGiven(RuleOptions& options);
  // The same; INVALID_ARGUMENT when the option is not there, which says what it means.
  static absl::StatusOr<Faulty> Take(RuleOptions& options);

  // Among `clients` that contributed, of which `dropped` were found out already (they sent NaN): f falls by one for
  // each.
  std::size_t Among(std::size_t clients, std::size_t dropped) const;

 private:
  double part_ = 0;        // Of the clients; or
  std::size_t count_ = 0;  // this many.
};

// A part of f or of clients, rounded down: so that 0.3 of 10 are 3, though 0.3 is a little less than 3/10.
std::size_t WholePartOf(double part, std::size_t of);

// OK when clients >= least. Else INVALID_ARGUMENT: "rule krum with f = 2 needs at least 7 clients (n >= 2f + 3), got
// 5". `who` is "rule krum".
absl::Status CheckBound(absl::string_view who, std::size_t clients, std::size_t faulty, std::size_t least,
                        absl::string_view bound);

// OK when clients <= most. Else INVALID_ARGUMENT: "rule caf takes at most 500 clients, got 501".
absl::Status CheckMost(absl::string_view who, std::size_t clients, std::size_t most);

}  // namespace cairn
