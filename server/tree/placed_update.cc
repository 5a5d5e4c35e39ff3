#include "server/tree/placed_update.h"

#include <utility>

#include "base/status_macros.h"

namespace cairn::tree {

absl::StatusOr<std::shared_ptr<const PlacedUpdate>> PlacedUpdate::Open(NodeObjects& objects,
                                                                       const v1::UpdatePlace& place) {
  auto update = std::make_shared<PlacedUpdate>();
  if (place.has_object()) {
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, ObjectKey::FromHex(place.object()));
    CAIRN_ASSIGN_OR_RETURN(NodeObjects::Read read, objects.Get(key));
    update->object_.emplace(std::move(read));
  } else {
    CAIRN_ASSIGN_OR_RETURN(update->file_, MappedFile::Open(place.path()));
  }
  return update;
}

}  // namespace cairn::tree
