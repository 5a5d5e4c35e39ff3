// Where the nodes that combine a round together bring their numbers: each call is over when all have made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

// Thread-safe.
class Meeting {
 public:
  using Values = std::vector<std::int64_t>;
  using Answer = std::function<void(const absl::StatusOr<Values>&)>;

  explicit Meeting(std::size_t members) : came_(members) {}

  // Numbers of a member; their sums (modulo 2^64), or the greatest, go to all members once the last has called.
  // `answer` runs once, on the thread of that one or of Break. All members call the same, in the same order, with as
  // many numbers: otherwise INTERNAL, for all.
  void Reduce(std::size_t member, bool greatest, Values values, Answer answer);
  // From now on every call ends with `why`, also those that wait. Only the first counts.
  void Break(const absl::Status& why);

 private:
  using Answers = std::vector<Answer>;
  absl::Status Take(std::size_t member, bool greatest, Values values);
  Answers Close();

  std::mutex mutex_;
  absl::Status broken_;
  // Of the call under way.
  std::vector<bool> came_;
  Answers answers_;
  bool greatest_ = false;
  Values values_;
};

}  // namespace cairn
