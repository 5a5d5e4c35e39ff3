#include "aggregators/faulty.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kRounding = 1e-9;

absl::Status Wrong(const RuleOptions& options, absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat(options.name(),
                   ": f: expected how many clients may lie, as a whole number from 0 up or as a part of them below "
                   "0.5, got ",
                   got));
}

}  // namespace

absl::StatusOr<std::optional<Faulty>> Faulty::TakeIfGiven(RuleOptions& options) {
  const std::optional<std::string> text = options.TakeText("f");
  if (!text) return std::nullopt;
  double value = 0;
  const bool number = absl::SimpleAtod(*text, &value) && value >= 0 && value <= limits::kCohortClientsMax;
  const bool whole = number && value == std::floor(value);
  if (!number || (!whole && value >= 0.5)) return Wrong(options, absl::StrCat("\"", *text, "\""));
  Faulty faulty;
  if (whole) {
    faulty.count_ = static_cast<std::size_t>(value);
  } else {
    faulty.part_ = value;
  }
  return faulty;
}

absl::StatusOr<Faulty> Faulty::Take(RuleOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const std::optional<Faulty> faulty, TakeIfGiven(options));
  if (!faulty) return Wrong(options, absl::StrCat("nothing; for example ", options.name(), ":f=1"));
  return *faulty;
}

std::size_t Faulty::Among(std::size_t clients, std::size_t dropped) const {
  const std::size_t all = std::max(count_, WholePartOf(part_, clients));
  return all - std::min(all, dropped);
}

std::size_t WholePartOf(double part, std::size_t of) {
  return static_cast<std::size_t>(part * static_cast<double>(of) + kRounding);
}

absl::Status CheckBound(absl::string_view who, std::size_t clients, std::size_t faulty, std::size_t least,
                        absl::string_view bound) {
  if (clients >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(who, " with f = ", faulty, " needs at least ", least, " clients (", bound, "), got ", clients));
}

absl::Status CheckMost(absl::string_view who, std::size_t clients, std::size_t most) {
  if (clients <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(who, " takes at most ", most, " clients, got ", clients));
}

}  // namespace cairn
