// Pages of mapped files.
#pragma once

#include "absl/strings/string_view.h"

namespace cairn {

// Lets the pages under and around `part` of a read-only file mapping leave this process' memory until they are read
// again. REQUIRES: `part` lies in `mapping`, which is such a mapping: the contents of other memory would be lost.
void DropMappedPages(absl::string_view mapping, absl::string_view part);

}  // namespace cairn
