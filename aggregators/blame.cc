#include "aggregators/blame.h"

#include <iterator>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "adapter/find.h"

namespace cairn {
namespace {

constexpr char kClientPayload[] = "cairn/blamed-client";
constexpr char kSeparator[] = "\n";                // Of ids, which have none (base/ids.h).
constexpr std::size_t kMessageBytesEnough = 1024;  // Then nobody else's message is added.

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

absl::Status BlameClients(absl::Status status, absl::Span<const std::string> clients) {
  if (clients.empty()) return status;
  return BlameClient(std::move(status), absl::StrJoin(clients.subspan(0, kBlamedClientsMax), kSeparator));
}

std::optional<std::string> BlamedClient(const absl::Status& status) {
  const std::vector<std::string> clients = BlamedClients(status);
  return clients.empty() ? std::nullopt : std::optional(clients.front());
}

std::vector<std::string> BlamedClients(const absl::Status& status) {
  const auto clients = status.GetPayload(kClientPayload);
  if (!clients) return {};
  return absl::StrSplit(std::string(*clients), kSeparator);
}

absl::Status BlameTogether(absl::Span<const absl::Status> found) {
  absl::Status first;
  std::vector<std::string> clients;
  std::string message;
  for (const absl::Status& status : found) {
    if (absl::IsCancelled(status)) return status;
    first.Update(status);
    std::vector<std::string> blamed = BlamedClients(status);
    if (blamed.empty()) continue;
    std::move(blamed.begin(), blamed.end(), std::back_inserter(clients));
    if (message.size() < kMessageBytesEnough) absl::StrAppend(&message, message.empty() ? "" : "; ", status.message());
  }
  return clients.empty() ? first : BlameClients(absl::InvalidArgumentError(message), clients);
}

}  // namespace cairn
