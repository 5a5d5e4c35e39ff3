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
  // What comes; then the bytes. UNAVAILABLE: it is over.
  absl::Status Begin(const v1::DeliverHeader& header);
  absl::Status Append(absl::Span<const absl::string_view> slices);
  // OK: whole. Only the first end counts.
  void End(const absl::Status& status);

  // Waits for the end, after which nothing is taken. UNAVAILABLE: nobody came to bring it.
  absl::Status Await();

 private:
  virtual absl::Status OnBegin(const v1::DeliverHeader& header) = 0;
  virtual absl::Status OnAppend(absl::Span<const absl::string_view> slices) = 0;
  // Takes something, unless it is over; Await returns when that is done.
  template <typename Step>
  absl::Status Bring(Step step);

  const std::string node_, federation_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool taken_ = false;
  bool bringing_ = false;  // A step of who brings it is under way.
  std::optional<absl::Status> end_;
};

}  // namespace cairn
