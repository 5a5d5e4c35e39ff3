#include "server/tree/progress_watch.h"

#include "absl/strings/str_cat.h"

namespace cairn::tree {

absl::Status ProgressWatch::Hear(const v1::WorkerAlive& sign, absl::Time now) {
  if (sign.progress() != progress_ || sign.awaits_others()) since_ = now;
  progress_ = sign.progress();
  if (now - since_ <= limit_) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("it is alive, but nothing got done for ", absl::FormatDuration(now - since_)));
}

}  // namespace cairn::tree
