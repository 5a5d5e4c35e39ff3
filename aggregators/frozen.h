// What clients must have in common, byte for byte or number for number: factors that they froze, and tensors that
// cannot be averaged.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"

namespace cairn {

struct FrozenFactors {
  bool a = false, b = false;
};

// One `WHAT DIGEST` line each, SHA-256: for a frozen matrix of its numbers, whatever their type, for a tensor that is
// no float of its bytes. The bytes must be there.
std::string FrozenDigests(const Adapter& adapter, FrozenFactors which);
// Whether there are any. Looks at shapes only.
bool HasFrozenParts(const Adapter& adapter, FrozenFactors which);

// A counter of training steps (BatchNorm's `num_batches_tracked`, one int64): clients differ in it, and the largest
// stands for all.
bool IsStepCounter(const TensorView& view);

// A tensor that is no float, of those who have it, by client: at least one. INVALID_ARGUMENT, with two clients, when
// its bytes are not the same in all of them; of step counters it is the largest.
using TensorHolders = std::vector<std::pair<std::string, const DenseTensor*>>;
absl::StatusOr<TensorView> SameInAll(const TensorHolders& holders);

// What was seen of each part first.
class CommonParts {
 public:
  // INVALID_ARGUMENT, with the part and both holders, when `digests` (FrozenDigests) has a part of other values than
  // one that is there.
  absl::Status Check(absl::string_view rule, absl::string_view holder, absl::string_view digests) const;
  void Add(absl::string_view holder, absl::string_view digests);

 private:
  struct First {
    std::string holder, digest;
  };
  std::map<std::string, First, std::less<>> first_;
};

}  // namespace cairn
