// The gateways of other processes that keep updates of their own, as the root's parts see them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/store/store.h"

namespace cairn {

class Nodes {
 public:
  virtual ~Nodes() = default;

  // Copies a sealed update of a node, all of whose key is known, to the root's own store. Blocks. UNAVAILABLE: the node
  // is away, or went away meanwhile. NOT_FOUND: the node does not have it. DATA_LOSS: its bytes are not those of the
  // key.
  virtual absl::Status Fetch(const std::string& node, const UploadKey& key) = 0;

  // What nodes are to keep of this federation has changed. They ask when they can. Does not block.
  virtual void Remind(const std::string& federation) = 0;
};

}  // namespace cairn
