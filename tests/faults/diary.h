// What was done in one round, and the first promise that was broken.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/faults/plan.h"

namespace cairn::faults {

// Thread-safe.
class Diary {
 public:
  // `totals`: by kind of fault. Both outlive this object, and are left alone meanwhile.
  Diary(std::vector<std::string>* done, std::map<std::string, int>* totals) : done_(done), totals_(totals) {}

  absl::Time start() const { return start_; }
  void Note(const Fault& fault, const std::string& whom);
  void Skip(const Fault& fault, const std::string& why);
  // OK: nothing.
  void Tell(const absl::Status& violation);
  absl::Status violation() const;

 private:
  const absl::Time start_ = absl::Now();
  std::vector<std::string>* const done_;
  std::map<std::string, int>* const totals_;
  mutable std::mutex mutex_;
  absl::Status violation_;
};

}  // namespace cairn::faults
