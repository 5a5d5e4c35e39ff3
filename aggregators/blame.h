// Whose values are to blame, found out only once something went wrong: values are read once, where they are used.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"

namespace cairn {

// `status` when it is not OUT_OF_RANGE. Else INVALID_ARGUMENT that names the client and the tensor, if an update's
// module or tensor `name` has a value that is not finite, or OUT_OF_RANGE with `name`.
absl::Status Blame(const absl::Status& status, const std::map<std::string, ClientUpdate>& updates,
                   absl::string_view name);

// `status` with a note, in a payload, of the client whose update must go for the others' to be combined.
absl::Status BlameClient(absl::Status status, absl::string_view client);
// The client of that note; nothing where nobody in particular is to blame.
std::optional<std::string> BlamedClient(const absl::Status& status);

}  // namespace cairn
