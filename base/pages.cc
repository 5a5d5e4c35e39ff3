#include "base/pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace cairn {
namespace {

// A page fault on Linux maps the pages around it that are in the page cache: an aligned window of 64 KiB and,
// since 6.18, all of a larger folio, as far as one table of pages reaches. To drop only what was read would leave them
// behind.
constexpr std::uintptr_t kWindow = 2 << 20;

}  // namespace

void DropMappedPages(absl::string_view mapping, absl::string_view part) {
  if (part.empty()) return;
  const auto address = [](const char* at) { return reinterpret_cast<std::uintptr_t>(at); };
  const std::uintptr_t begin = std::max(address(mapping.data()), address(part.data()) / kWindow * kWindow);
  const std::uintptr_t end = std::min(address(mapping.data() + mapping.size()),
                                      (address(part.data() + part.size()) + kWindow - 1) / kWindow * kWindow);
  // A hint: nothing is wrong when it is refused.
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace cairn
