#include "server/tree/sealed_planes.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn::tree {

absl::Status CheckPlanes(const v1::SealedPartial& partial, const ProcessId& worker, const std::set<ObjectKey>& known,
                         absl::FunctionRef<absl::StatusOr<ObjectEntry>(const ObjectKey&)> find) {
  std::set<ObjectKey> own;
  for (const std::string& plane : partial.planes()) {
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, ObjectKey::FromHex(plane));
    CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, find(key));
    const ProcessId owner{entry.owner_pid, entry.owner_start};
    if (entry.epoch == kAgentEpoch || owner != worker) {
      return absl::PermissionDeniedError(
          absl::StrCat("it handed over object ", plane, " of ",
                       entry.epoch == kAgentEpoch ? "the server" : absl::StrCat("process ", owner.pid), " as its own"));
    }
    if (entry.state != ObjectState::kSealed && entry.state != ObjectState::kSpilled) {
      return absl::FailedPreconditionError(absl::StrCat("it handed over object ", plane, ", which is not sealed"));
    }
    if (known.count(key) > 0 || !own.insert(key).second) {
      return absl::PermissionDeniedError(absl::StrCat("it handed over object ", plane, " twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn::tree
