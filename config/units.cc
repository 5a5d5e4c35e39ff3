#include "config/units.h"

#include <iterator>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

struct Unit {
  absl::string_view name;
  std::uint64_t bytes;
};

// Binary units first, ascending: FormatBytes walks them.
constexpr Unit kUnits[] = {
    {"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},   {"TiB", 1ULL << 40},
    {"", 1},  {"kB", 1'000},       {"MB", 1'000'000},   {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000},
};
constexpr int kBinaryUnits = 5;

const Unit* FindUnit(absl::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseBytes(absl::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  const absl::string_view suffix = absl::StripAsciiWhitespace(text.substr(digits));
  const Unit* unit = FindUnit(suffix);
  if (digits == 0 || unit == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected bytes as in \"512MiB\" or \"4GB\" (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), got \"", text, "\""));
  }
  std::uint64_t count = 0;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (!absl::SimpleAtoi(text.substr(0, digits), &count) || count > kMax / unit->bytes) {
    return absl::InvalidArgumentError(absl::StrCat("expected at most ", kMax, " bytes, got \"", text, "\""));
  }
  return count * unit->bytes;
}

std::string FormatBytes(std::uint64_t bytes) {
  int best = 0;
  while (bytes != 0 && best + 1 < kBinaryUnits && bytes % kUnits[best + 1].bytes == 0) ++best;
  return absl::StrCat(bytes / kUnits[best].bytes, kUnits[best].name);
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration <= absl::ZeroDuration() ||
      duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a positive duration as in \"30m\", \"10s\", \"1h30m\" (units h, m, s, ms), got \"", text, "\""));
  }
  return duration;
}

}  // namespace cairn
