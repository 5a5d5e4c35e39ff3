#include "aggregators/blame.h"

#include "absl/strings/str_cat.h"
#include "adapter/find.h"

namespace cairn {

absl::Status Blame(const absl::Status& status, const std::map<std::string, ClientUpdate>& updates,
                   absl::string_view name) {
  if (!absl::IsOutOfRange(status)) return status;
  for (const auto& [client, update] : updates) {
    Adapter part;
    if (const LoraModule* module = FindModule(*update.adapter, name)) part.modules = {*module};
    if (const DenseTensor* tensor = FindTensor(*update.adapter, name)) part.tensors = {*tensor};
    const absl::Status finite = CheckFinite(part);
    if (!finite.ok()) return absl::InvalidArgumentError(absl::StrCat("client ", client, ": ", finite.message()));
  }
  return absl::OutOfRangeError(absl::StrCat("\"", name, "\": ", status.message()));
}

}  // namespace cairn
