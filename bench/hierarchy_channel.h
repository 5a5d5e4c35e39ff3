// How an update gets from the process that landed it to the one that folds it: one pair of classes for each design.
//
// Copies of the payload that belong to the hop, per byte of it. Those in user space are counted where they are made.
// A socket copies twice: from the sender's memory into the kernel's and from there into the receiver's. Hence, in the
// kernel: shared 0, unix 2, grpc 2 (loopback TCP), redis 4 (to the broker and from it). redis-server itself makes one
// that nobody outside can count: SET reads a large value straight into its place (PROTO_MBULK_BIG_ARG), GET copies it
// into the reply's buffers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cairn::bench {

enum class Design { kFloor, kOne, kGateway, kShared, kUnix, kGrpc, kRedis };

// What the processes of one contender have in common. The sockets are inherited.
struct HierarchyEnds {
  Design design = Design::kShared;
  std::filesystem::path directory;  // For sockets with names.
  int peer = -1;                    // Packets between producer and aggregator: keys, and what was folded.
  int data = -1;                    // unix: the stream of bytes; shared: the aggregator's to the agent.
  int payload = -1;                 // The file of HierarchyPayload.
  std::uint64_t bytes = 0;          // Of an update.
  int in_flight = 2;                // At most so many updates are on the way or being folded.
};

class Outbox {
 public:
  virtual ~Outbox() = default;
  // Where the next update is to be landed.
  virtual absl::StatusOr<absl::Span<char>> Room() = 0;
  // Hands on what was landed. Does not wait for the fold.
  virtual absl::Status Send() = 0;
};

// An update that has arrived.
struct Arrival {
  absl::string_view bytes;
  std::shared_ptr<void> hold;  // The bytes are there as long as this is.
  // Whether they were the update's up to now: to be asked after folding. Null: they were.
  std::function<bool()> valid;
};

class Inbox {
 public:
  virtual ~Inbox() = default;
  // The next update. Waits for one.
  virtual absl::StatusOr<Arrival> Take() = 0;
  // Whether one is there.
  virtual bool Waiting() = 0;
  // Bytes of payload that this process has copied itself since it was last asked.
  virtual std::uint64_t TakeCopied() = 0;
};

absl::StatusOr<std::unique_ptr<Outbox>> MakeOutbox(const HierarchyEnds& ends);
absl::StatusOr<std::unique_ptr<Inbox>> MakeInbox(const HierarchyEnds& ends);

}  // namespace cairn::bench
