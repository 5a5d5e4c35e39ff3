#include "server/node/meeting.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// As all processors add; without C++'s overflow.
std::int64_t Sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace

absl::Status Meeting::Take(std::size_t member, bool greatest, Values values) {
  CAIRN_RETURN_IF_ERROR(broken_);
  if (member >= came_.size() || came_[member]) return absl::InternalError("a node calls twice");
  came_[member] = true;
  if (answers_.empty()) {
    greatest_ = greatest;
    values_ = std::move(values);
    return absl::OkStatus();
  }
  if (greatest != greatest_ || values.size() != values_.size()) {
    return absl::InternalError(absl::StrCat("nodes that combine one round want different things: ", values.size(),
                                            " numbers and ", values_.size()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    values_[i] = greatest ? std::max(values_[i], values[i]) : Sum(values_[i], values[i]);
  }
  return absl::OkStatus();
}

Meeting::Answers Meeting::Close() {
  std::fill(came_.begin(), came_.end(), false);
  return std::exchange(answers_, {});
}

void Meeting::Reduce(std::size_t member, bool greatest, Values values, Answer answer) {
  Answers answers;
  absl::StatusOr<Values> result;
  {
    std::lock_guard lock(mutex_);
    const absl::Status taken = Take(member, greatest, std::move(values));
    answers_.push_back(std::move(answer));
    if (!taken.ok()) {
      if (broken_.ok()) broken_ = taken;
      result = broken_;
    } else if (answers_.size() < came_.size()) {
      return;
    } else {
      result = std::move(values_);
    }
    answers = Close();
  }
  for (const Answer& each : answers) each(result);
}

void Meeting::Break(const absl::Status& why) {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    if (!broken_.ok()) return;
    broken_ = why;
    answers = Close();
  }
  for (const Answer& each : answers) each(why);
}

}  // namespace cairn
