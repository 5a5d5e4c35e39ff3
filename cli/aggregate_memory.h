// What `cairn aggregate` is told of earlier rounds.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "adapter/directory.h"
#include "aggregators/round_weights.h"
#include "cli/aggregate_request.h"

namespace cairn {

class AggregateMemory {
 public:
  // Opens what the request names; histories of those `clients` that have one. Errors as OpenAdapterPath, with the flag.
  static absl::StatusOr<AggregateMemory> Open(const AggregateRequest& request, const std::vector<std::string>& clients);

  // Views into this object.
  RoundMemory memory() const;
  void DropPages() const;

 private:
  std::optional<StoredAdapter> last_, reference_;
  std::map<std::string, StoredAdapter> histories_;
};

}  // namespace cairn
