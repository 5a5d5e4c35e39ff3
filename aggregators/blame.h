// Whose values are to blame, found out only once something went wrong: values are read once, where they are used.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"

namespace cairn {

// `status` when it is not OUT_OF_RANGE. Else INVALID_ARGUMENT that names the client and the tensor, if an update's
// module or tensor `name` has a value that is not finite, or OUT_OF_RANGE with `name`.
absl::Status Blame(const absl::Status& status, const std::map<std::string, ClientUpdate>& updates,
                   absl::string_view name);

}  // namespace cairn
