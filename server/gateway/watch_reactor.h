// One Watch stream. Events queue while the reader is slow; progress is merged, everything else is kept up to a bound.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <mutex>
#include <optional>

#include "proto/cairn/v1/federation.pb.h"
#include "server/gateway/context.h"

namespace cairn {

class WatchReactor final : public grpc::ServerWriteReactor<v1::RoundEvent> {
 public:
  WatchReactor(const GatewayContext& gateway, const std::string& federation);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnNotice(const Notice& notice);
  void OnSubscribed(absl::StatusOr<Root::Subscription> subscription);
  void WriteNext();                      // REQUIRES: mutex_ held.
  void Drop(std::size_t first);          // What is queued from there on. REQUIRES: mutex_ held.
  void End(const grpc::Status& status);  // REQUIRES: mutex_ held.

  const GatewayContext& gateway_;

  std::mutex mutex_;
  bool subscribing_ = true;
  bool writing_ = false;
  bool finished_ = false;
  bool cancelled_ = false;
  std::optional<Root::Subscription> subscription_;
  std::deque<v1::RoundEvent> queue_;  // The front is being written when writing_.
  std::size_t queued_bytes_ = 0;      // Of all in the queue, as protobufs.
};

}  // namespace cairn
