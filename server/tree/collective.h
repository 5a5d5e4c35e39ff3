// A group of processes that add up numbers together. Behind it are libtorch's process groups (Gloo, or NCCL between
// GPUs), which libcairn_collective.so alone sees; it is loaded when a process first joins a group.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace cairn {

struct CollectiveOptions {
  int rank = 0, size = 1;  // 0 <= rank < size.
  // Where the members find each other:
  //   "file:DIR"        a folder that all of them see. Nothing listens, and nothing is lost with any process.
  //   "tcp:HOST:PORT"   a Rendezvous.
  std::string rendezvous;
  // The group's name, an id (base/ids.h). Whoever goes on after a loss takes a new one: a group that lost a member is
  // of no use any more, and nothing of it must be seen by the next.
  std::string attempt;
  std::string address = "127.0.0.1";           // Of this process, where the others reach it; a free port is taken.
  absl::Duration timeout = absl::Seconds(30);  // Of joining, and of every call.
  // What adds up; the same kind for all members. "cpu": Gloo. "cuda:N": NCCL, and no two members have one GPU; "cuda":
  // the GPU of the rank, modulo the machine's. Empty: "cpu" where the module has Gloo, else "cuda".
  std::string device;
};

class Collective {
 public:
  // Returns when all members are there. INVALID_ARGUMENT: options. FAILED_PRECONDITION: no libcairn_collective.so,
  // or one without what the device needs, or no GPU of its own. UNAVAILABLE: not all of them came within the timeout,
  // or one left meanwhile.
  static absl::StatusOr<std::unique_ptr<Collective>> Join(const CollectiveOptions& options);
  // Leaves: the others' calls fail from now on.
  virtual ~Collective() = default;

  // All members call the same, in the same order, with as many numbers; each gets the sums, or the greatest, in their
  // place. Not thread-safe. UNAVAILABLE when a member is lost, and for ever after; `values` are of no use then.
  // Gloo knows within milliseconds that a process has ended, NCCL between GPUs of one machine at the timeout.
  virtual absl::Status AllReduceSum(absl::Span<std::int64_t> values) = 0;
  virtual absl::Status AllReduceMax(absl::Span<std::int64_t> values) = 0;

  // What this member gave to its calls, in bytes.
  virtual std::uint64_t bytes() const = 0;
};

// A place to find each other for processes on different machines. Held by a process that is no member, so that no
// member's death takes it along.
class Rendezvous {
 public:
  // At a free port if `port` is 0. It listens on all addresses of the machine (libtorch knows no other way), and
  // whoever reaches it may join: it belongs into a network of its own. Errors: FAILED_PRECONDITION as above;
  // UNAVAILABLE: the port is taken.
  static absl::StatusOr<std::unique_ptr<Rendezvous>> Serve(const std::string& host, int port);
  virtual ~Rendezvous() = default;
  virtual std::string name() const = 0;  // For CollectiveOptions::rendezvous.
};

}  // namespace cairn
