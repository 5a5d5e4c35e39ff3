#include "tests/faults/diary.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cairn::faults {

void Diary::Note(const Fault& fault, const std::string& whom) {
  std::lock_guard lock(mutex_);
  ++(*totals_)[NameOf(fault.kind)];
  done_->push_back(absl::StrFormat("%s%s%s @%d ms", NameOf(fault.kind), whom.empty() ? "" : " ", whom,
                                   absl::ToInt64Milliseconds(absl::Now() - start_)));
}

void Diary::Skip(const Fault& fault, const std::string& why) {
  std::lock_guard lock(mutex_);
  done_->push_back(absl::StrCat(NameOf(fault.kind), " skipped: ", why));
}

void Diary::Tell(const absl::Status& violation) {
  std::lock_guard lock(mutex_);
  violation_.Update(violation);
}

absl::Status Diary::violation() const {
  std::lock_guard lock(mutex_);
  return violation_;
}

}  // namespace cairn::faults
