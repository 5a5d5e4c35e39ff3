#include "aggregators/shard_agreement.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/status_macros.h"

namespace cairn {

absl::Status CheckSame(const Shard* shard, absl::string_view what, absl::string_view bytes) {
  if (shard == nullptr) return absl::OkStatus();
  Sha256 sha;
  sha.Update(bytes);
  const Sha256Digest digest = sha.Finish();
  std::int64_t own = 0;
  std::memcpy(&own, digest.data(), sizeof(own));
  std::vector<std::int64_t> most = {own, ~own};  // The greatest is the least where all are the same.
  CAIRN_RETURN_IF_ERROR(shard->max(absl::MakeSpan(most)));
  if (most[0] == ~most[1]) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the shards of this round do not have the same ", what));
}

absl::Status CheckOwners(const Shard* shard, const AdapterSpec& all) {
  if (shard == nullptr) return absl::OkStatus();
  std::vector<std::int64_t> owners;
  for (const ModuleSpec& module : all.modules) owners.push_back(OwnsModule(shard, module.name) ? 1 : 0);
  for (const TensorSpec& tensor : all.tensors) owners.push_back(OwnsTensor(shard, tensor.name) ? 1 : 0);
  CAIRN_RETURN_IF_ERROR(shard->sum(absl::MakeSpan(owners)));
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] == 1) continue;
    const bool module = i < all.modules.size();
    const std::string& name = module ? all.modules[i].name : all.tensors[i - all.modules.size()].name;
    return absl::FailedPreconditionError(absl::StrCat(module ? "module \"" : "tensor \"", absl::CHexEscape(name),
                                                      "\" belongs to ", owners[i], " shards, expected 1"));
  }
  return absl::OkStatus();
}

}  // namespace cairn
