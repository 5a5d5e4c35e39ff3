// The gateways of other processes that keep updates of their own, as the root's parts see them. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/root/publish.h"
#include "server/root/summer.h"
#include "server/store/store.h"

namespace cairn {

// After a start of the root, until its nodes have attended again: one that finds the root at its old address pauses up
// to 0.5 s (attendance.cc) and gRPC up to 2.4 s (wire/channel_arguments.cc), each attempt to connect may take 5 s, and
// a restarted node's first stream may be refused once.
inline constexpr absl::Duration kNodesReturnMax = absl::Seconds(10);

// What the root fetches from a node waits so long for memory that others hold: then the round is tried again later, and
// the rounds of other federations have their turn.
inline constexpr absl::Duration kFetchRoomMax = absl::Seconds(60);

class Nodes {
 public:
  virtual ~Nodes() = default;

  // Copies a sealed update of a node, all of whose key is known, to the root's own store. Blocks. UNAVAILABLE: the node
  // is away, or went away meanwhile. NOT_FOUND: the node does not have it. DATA_LOSS: its bytes are not those of the
  // key. RESOURCE_EXHAUSTED with IsNoRoom (server/root/gather.h): it waited too long for memory. CANCELLED: after Stop.
  virtual absl::Status Fetch(const std::string& node, const UploadKey& key) = 0;

  // The sum over exactly the job's contributions, all of which are at the node. Blocks. INVALID_ARGUMENT with
  // BlamedClient (aggregators/blame.h): one of them cannot be added, or the node does not have it. UNAVAILABLE as
  // Fetch. Any other error: the node does not add up, or not these. REQUIRES: SumsUp(job.method).
  virtual absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const std::string& node, const PublishJob& job) = 0;

  // What nodes are to keep of this federation has changed. They ask when they can. Does not block.
  virtual void Remind(const std::string& federation) = 0;

  // The server is stopping: nobody waits for memory any more, now and from now on.
  virtual void Stop() = 0;
};

}  // namespace cairn
