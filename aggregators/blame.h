// Whose values are to blame, found out only once something went wrong: values are read once, where they are used.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "aggregators/aggregator.h"

namespace cairn {

// `status` when it is not OUT_OF_RANGE. Else INVALID_ARGUMENT that names the client and the tensor, if an update's
// module or tensor `name` has a value that is not finite, or OUT_OF_RANGE with `name`.
absl::Status Blame(const absl::Status& status, const std::map<std::string, ClientUpdate>& updates,
                   absl::string_view name);

// `status` with a note, in a payload, of the client whose update must go for the others' to be combined.
absl::Status BlameClient(absl::Status status, absl::string_view client);
// The client of that note, the first if there are several; nothing where nobody in particular is to blame.
std::optional<std::string> BlamedClient(const absl::Status& status);

// The same with several clients: of more than kBlamedClientsMax the last are left out, to be found the next time.
absl::Status BlameClients(absl::Status status, absl::Span<const std::string> clients);
std::vector<std::string> BlamedClients(const absl::Status& status);
inline constexpr std::size_t kBlamedClientsMax = 1000;

// What was found out at several places as one error: that the work was CANCELLED, or INVALID_ARGUMENT with all clients
// that somebody blames, or the first error. OK if there is none.
absl::Status BlameTogether(absl::Span<const absl::Status> found);

}  // namespace cairn
