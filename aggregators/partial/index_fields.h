// What is behind an index's header.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/partial/index.h"

namespace cairn::internal {

std::string SerializeFields(const PartialState& state, int planes);
// Takes any bytes: whatever it gives is consistent. A status for others.
absl::StatusOr<ParsedIndex> ParseFields(absl::string_view payload);

}  // namespace cairn::internal
