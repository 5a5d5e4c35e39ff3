// The bytes of a partial sum but its planes (docs/formats/partial.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/partial/state.h"

namespace cairn::internal {

std::string SerializeIndex(const PartialState& state, int planes);

struct ParsedIndex {
  std::shared_ptr<const PartialState> state;
  int planes = 0;  // Each of state->shape.layout.elements.
};
// INVALID_ARGUMENT: not these bytes, or nothing that a sum can be. UNIMPLEMENTED: another version.
absl::StatusOr<ParsedIndex> ParseIndex(absl::string_view bytes);

}  // namespace cairn::internal
