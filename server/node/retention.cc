#include "server/node/retention.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/failpoint.h"

namespace cairn {

void Retention::Begin(const std::string& federation, const std::string& name) {
  std::lock_guard lock(mutex_);
  Federation& known = federations_[federation];
  known.under_way.insert(name);
  if (known.asking) known.meanwhile.insert(name);
}

void Retention::End(const std::string& federation, const std::string& name) {
  std::lock_guard lock(mutex_);
  Federation& known = federations_[federation];
  const auto found = known.under_way.find(name);
  if (found != known.under_way.end()) known.under_way.erase(found);
}

void Retention::AskOnce(const std::string& federation) {
  CAIRN_FAILPOINT("node.before_keep").IgnoreError();
  absl::StatusOr<Kept> kept = ask_(federation);
  CAIRN_FAILPOINT("node.before_retain").IgnoreError();
  std::lock_guard lock(mutex_);  // So that nothing begins between the list and its use.
  absl::Status status = kept.status();
  if (kept.ok()) {
    const std::set<std::string>& meanwhile = federations_[federation].meanwhile;
    kept->names.insert(kept->names.end(), meanwhile.begin(), meanwhile.end());
    status = store_->Retain(federation, kept->round, kept->names);
  }
  // The next reminder, or the next connection, asks again.
  if (!status.ok()) spdlog::warn("{}: letting go of updates: {}", federation, status.ToString());
}

void Retention::Tidy(const std::string& federation) {
  {
    std::lock_guard lock(mutex_);
    Federation& known = federations_[federation];
    known.ask_again = known.asking;
    if (known.asking) return;
    known.asking = true;
  }
  while (true) {
    {
      std::lock_guard lock(mutex_);
      Federation& known = federations_[federation];
      known.ask_again = false;
      known.meanwhile = {known.under_way.begin(), known.under_way.end()};
    }
    AskOnce(federation);
    std::lock_guard lock(mutex_);
    Federation& known = federations_[federation];
    known.asking = known.ask_again;
    if (!known.asking) return;
  }
}

}  // namespace cairn
