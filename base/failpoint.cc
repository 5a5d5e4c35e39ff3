#include "base/failpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

struct Point {
  enum class Action { kKill, kStop, kHang, kSleep, kError, kFull };
  Action action = Action::kKill;
  std::int64_t sleep_ms = 0;
  std::uint64_t at = 0;  // Which time; 0: each.
  std::atomic<std::uint64_t> times{0};
};
using Points = std::map<std::string, std::unique_ptr<Point>, std::less<>>;

absl::Status Wrong(absl::string_view entry, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("CAIRN_FAILPOINTS: \"", entry, "\": ", why));
}

// "kill@3", "sleep:200".
absl::StatusOr<std::unique_ptr<Point>> ParseAction(absl::string_view entry, absl::string_view text) {
  auto point = std::make_unique<Point>();
  const std::pair<absl::string_view, absl::string_view> counted = absl::StrSplit(text, absl::MaxSplits('@', 1));
  absl::string_view action = counted.first;
  if (!counted.second.empty() && (!absl::SimpleAtoi(counted.second, &point->at) || point->at == 0)) {
    return Wrong(entry, "expected a number from 1 behind the @");
  }
  static const auto* const kActions =
      new std::map<std::string, Point::Action, std::less<>>{{"kill", Point::Action::kKill},
                                                            {"stop", Point::Action::kStop},
                                                            {"hang", Point::Action::kHang},
                                                            {"error", Point::Action::kError},
                                                            {"full", Point::Action::kFull}};
  if (absl::ConsumePrefix(&action, "sleep:")) {
    point->action = Point::Action::kSleep;
    if (!absl::SimpleAtoi(action, &point->sleep_ms)) return Wrong(entry, "expected milliseconds behind sleep:");
    return point;
  }
  const auto found = kActions->find(action);
  if (found == kActions->end()) return Wrong(entry, "expected kill, stop, hang, sleep:MS, error or full");
  point->action = found->second;
  const bool ends = point->action != Point::Action::kError && point->action != Point::Action::kFull;
  if (ends && point->at == 0) point->at = 1;
  return point;
}

absl::StatusOr<Points> Parse(absl::string_view text) {
  Points points;
  for (const absl::string_view entry : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(entry, absl::MaxSplits('=', 1));
    if (parts.first.empty() || parts.second.empty()) return Wrong(entry, "expected NAME=ACTION");
    CAIRN_ASSIGN_OR_RETURN(points[std::string(parts.first)], ParseAction(entry, parts.second));
  }
  return points;
}

// Of the environment of this process, which does not change. A typo must not let a test pass.
const Points& FromEnvironment() {
  static const Points* const points = [] {
    const char* const text = std::getenv("CAIRN_FAILPOINTS");
    auto parsed = Parse(text == nullptr ? "" : text);
    if (!parsed.ok()) {
      std::fprintf(stderr, "%s\n", parsed.status().ToString().c_str());
      std::abort();
    }
    return new Points(*std::move(parsed));
  }();
  return *points;
}

// Whether this process is the first of all.
bool Claims(absl::string_view name) {
  const char* const directory = std::getenv("CAIRN_FAILPOINTS_ONCE");
  if (directory == nullptr || *directory == '\0') return true;
  const std::string path = absl::StrCat(directory, "/", name);
  return static_cast<bool>(UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
}

absl::Status Do(absl::string_view name, const Point& point) {
  switch (point.action) {
    case Point::Action::kKill:
      ::kill(::getpid(), SIGKILL);
      ::pause();  // It comes at once.
      break;
    case Point::Action::kStop:
      ::kill(::getpid(), SIGSTOP);
      break;
    case Point::Action::kHang:
      while (true) ::pause();  // Not for a signal either.
    case Point::Action::kSleep:
      absl::SleepFor(absl::Milliseconds(point.sleep_ms));
      break;
    case Point::Action::kError:
      return absl::UnavailableError(absl::StrCat("failpoint ", name));
    case Point::Action::kFull:
      return absl::ResourceExhaustedError(absl::StrCat("failpoint ", name, ": no space left"));
  }
  return absl::OkStatus();
}

}  // namespace

std::atomic<bool> failpoints_armed{std::getenv("CAIRN_FAILPOINTS") != nullptr};

absl::Status HitFailpoint(absl::string_view name) {
  const Points& points = FromEnvironment();
  const auto found = points.find(name);
  if (found == points.end()) return absl::OkStatus();
  Point& point = *found->second;
  const std::uint64_t time = point.times.fetch_add(1, std::memory_order_relaxed) + 1;
  if (point.at != 0 && time != point.at) return absl::OkStatus();
  if (point.action != Point::Action::kSleep && !Claims(name)) return absl::OkStatus();
  return Do(name, point);
}

absl::Status CheckFailpoints(absl::string_view text) { return Parse(text).status(); }

}  // namespace cairn
