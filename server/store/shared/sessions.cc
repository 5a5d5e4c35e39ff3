#include "server/store/shared/sessions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {

Epoch Sessions::Open(ProcessId process, absl::Time now) {
  const Epoch epoch = next_++;
  sessions_[epoch] = {process, now};
  return epoch;
}

absl::StatusOr<ProcessId> Sessions::Find(Epoch epoch) const {
  const auto it = sessions_.find(epoch);
  if (it == sessions_.end()) return absl::NotFoundError(absl::StrCat("no session has epoch ", epoch));
  const Session& session = it->second;
  if (!session.fenced) return session.process;
  return absl::FailedPreconditionError(absl::StrCat("epoch ", epoch, " was fenced: process ", session.process.pid,
                                                    " gave no sign of life for ", absl::FormatDuration(session.silence),
                                                    ", lease time ", absl::FormatDuration(lease_time_)));
}

absl::Status Sessions::Renew(Epoch epoch, absl::Time now) {
  CAIRN_RETURN_IF_ERROR(Find(epoch).status());
  sessions_.at(epoch).renewed = now;
  return absl::OkStatus();
}

void Sessions::Ask(Epoch epoch, absl::Time now) {
  const auto it = sessions_.find(epoch);
  if (it != sessions_.end() && !it->second.fenced) it->second.renewed = now;
}

std::vector<std::pair<Epoch, ProcessId>> Sessions::Fence(absl::Time now, const std::function<bool(Epoch)>& holds) {
  std::vector<std::pair<Epoch, ProcessId>> fenced;
  for (auto& [epoch, session] : sessions_) {
    if (session.fenced || now - session.renewed < lease_time_ || !holds(epoch)) continue;
    session.fenced = true;
    session.silence = now - session.renewed;
    fenced.emplace_back(epoch, session.process);
  }
  return fenced;
}

absl::Time Sessions::NextFence(const std::function<bool(Epoch)>& holds) const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [epoch, session] : sessions_) {
    if (!session.fenced && holds(epoch)) next = std::min(next, session.renewed + lease_time_);
  }
  return next;
}

}  // namespace cairn
