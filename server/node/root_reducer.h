// Brings a node's numbers to the root, where they are joined with those of the other nodes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/node/root_connection.h"

namespace cairn {

// Thread-safe. May outlive the connection once it is closed.
class RootReducer {
 public:
  RootReducer(std::string node, RootConnection* root) : node_(std::move(node)), root_(root) {}

  // In place: the sums over all nodes, or the greatest. Blocks until all of them have called. UNAVAILABLE: one of them
  // is lost, or the root is, or Close was called.
  absl::Status Reduce(std::uint64_t fetch, bool greatest, absl::Span<std::int64_t> values);
  // Every call ends with an error from now on; waits for those under way, which RootConnection::Close ends.
  void Close();

 private:
  absl::Status ReducePiece(std::uint64_t fetch, bool greatest, absl::Span<std::int64_t> values);

  const std::string node_;
  RootConnection* root_;
  std::mutex mutex_;
  std::condition_variable none_;
  bool closed_ = false;
  int calls_ = 0;
};

}  // namespace cairn
