#include "base/ids.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {

absl::Status CheckId(absl::string_view what, absl::string_view id) {
  const bool valid = !id.empty() && id.size() <= limits::kIdBytesMax && id.front() != '.' &&
                     std::all_of(id.begin(), id.end(), [](unsigned char c) {
                       return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                     });
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " \"", absl::CHexEscape(id.substr(0, limits::kIdBytesMax)),
                                                 "\": expected 1 to ", limits::kIdBytesMax,
                                                 " characters of A-Z a-z 0-9 . _ - that do not start with a dot"));
}

}  // namespace cairn
