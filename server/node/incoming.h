// Bytes on their way from a node to the root, which has asked for them.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/cairn/v1/node.pb.h"

namespace cairn {

// One thread waits for the end; one other, or none, brings the bytes.
class Incoming {
 public:
  Incoming(std::string node, std::string federation) : node_(std::move(node)), federation_(std::move(federation)) {}
  virtual ~Incoming() = default;

  const std::string& node() const { return node_; }
  const std::string& federation() const { return federation_; }
  virtual absl::string_view kind() const = 0;  // For Metrics::NodeBytes.

  // False: there is already somebody who brings it, or it is over.
  bool Take();
  // What comes; then the bytes. Neither is called once End was.
  virtual absl::Status Begin(const v1::DeliverHeader& header) = 0;
  virtual absl::Status Append(absl::Span<const absl::string_view> slices) = 0;
  // OK: whole. Only the first end counts.
  void End(const absl::Status& status);

  // Waits for the end. UNAVAILABLE: nobody came to bring it.
  absl::Status Await();

 private:
  const std::string node_, federation_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool taken_ = false;
  std::optional<absl::Status> end_;
};

}  // namespace cairn
