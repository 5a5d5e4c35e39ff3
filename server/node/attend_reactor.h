// One node's stream of Attend, at the root.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/node/node_table.h"
#include "server/root/coordinator.h"

namespace cairn {

class AttendReactor final : public grpc::ServerWriteReactor<v1::RootNotice> {
 public:
  AttendReactor(Coordinator* coordinator, NodeTable* table, const v1::AttendRequest& request,
                const absl::Status& allowed);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Arrive(const v1::AttendRequest& request, const absl::Status& checked);
  void Send(const v1::RootNotice& notice);
  void Welcome(const absl::StatusOr<std::vector<std::string>>& federations);
  void End(const absl::Status& status);  // REQUIRES: mutex_ held, as the next.
  void EndWithIdentity();

  Coordinator* coordinator_;
  NodeTable* table_;
  const std::string node_;
  std::mutex mutex_;
  bool arriving_ = false;  // Until the coordinator knows: it has a pointer here.
  bool welcome_ = false;
  bool writing_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
  std::deque<v1::RootNotice> queue_;  // The front is being written when writing_.
  std::optional<NodeTable::Session> session_;
};

}  // namespace cairn
