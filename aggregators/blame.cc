#include "aggregators/blame.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "adapter/find.h"

namespace cairn {
namespace {

constexpr char kClientPayload[] = "cairn/blamed-client";

}  // namespace

absl::Status Blame(const absl::Status& status, const std::map<std::string, ClientUpdate>& updates,
                   absl::string_view name) {
  if (!absl::IsOutOfRange(status)) return status;
  for (const auto& [client, update] : updates) {
    Adapter part;
    if (const LoraModule* module = FindModule(*update.adapter, name)) part.modules = {*module};
    if (const DenseTensor* tensor = FindTensor(*update.adapter, name)) part.tensors = {*tensor};
    const absl::Status finite = CheckFinite(part);
    if (finite.ok()) continue;
    return BlameClient(absl::InvalidArgumentError(absl::StrCat("client ", client, ": ", finite.message())), client);
  }
  return absl::OutOfRangeError(absl::StrCat("\"", name, "\": ", status.message()));
}

absl::Status BlameClient(absl::Status status, absl::string_view client) {
  if (!status.ok()) status.SetPayload(kClientPayload, absl::Cord(client));
  return status;
}

std::optional<std::string> BlamedClient(const absl::Status& status) {
  const auto client = status.GetPayload(kClientPayload);
  if (!client) return std::nullopt;
  return std::string(*client);
}

}  // namespace cairn
