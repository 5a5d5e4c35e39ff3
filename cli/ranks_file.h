// The file of --publish ranks=FILE.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/publish_form.h"

namespace cairn {

using Recipients = std::map<std::string, RecipientRank>;

// A regular file or a pipe, as `ranks=<(...)` gives it. Errors name the file.
absl::StatusOr<Recipients> ReadRanks(const std::filesystem::path& file);

// Recipients need not be clients, nor clients recipients; yet a misspelt name looks like both. Empty, or lines that say
// which are not. `clients` ascend.
std::string RecipientNote(const Recipients& recipients, const std::vector<std::string>& clients);

}  // namespace cairn
