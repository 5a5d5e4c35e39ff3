// An update of this node, where it lies.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/store/store.h"
#include "server/tree/node_objects.h"

namespace cairn::tree {

class PlacedUpdate final : public Blob {
 public:
  // NOT_FOUND: it is not there any more. INVALID_ARGUMENT: no place.
  static absl::StatusOr<std::shared_ptr<const PlacedUpdate>> Open(NodeObjects& objects, const v1::UpdatePlace& place);

  absl::string_view bytes() const override { return object_ ? object_->bytes() : file_.bytes(); }
  void DropPages() const override {
    if (!object_) file_.DropPages();
  }
  // LeasedObject::StillValid.
  bool StillValid() const { return !object_ || object_->StillValid(); }

 private:
  std::optional<NodeObjects::Read> object_;
  MappedFile file_;
};

}  // namespace cairn::tree
