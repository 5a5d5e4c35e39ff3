// The node's stream of Attend: opened again whenever it ends.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "server/node/known_root.h"
#include "server/node/root_connection.h"

namespace cairn {

class Attendance {
 public:
  // `on_notice` runs on this object's thread, and hears nothing of a root that is not `known`. `root` outlives this
  // object, and is closed before it is destroyed.
  Attendance(RootConnection* root, std::unique_ptr<KnownRoot> known,
             std::function<void(const v1::RootNotice&)> on_notice);
  ~Attendance();

  void Start(v1::AttendRequest request);  // Once.

  // Ends the stream for good: the root is to do without this node. From any thread; logged once, and stays the state.
  void GiveUp(const absl::Status& why);

  // OK once the root has welcomed the node, until the stream ends: then why.
  absl::Status state() const;

 private:
  void Loop();
  absl::Status Follow();  // One stream, to its end.
  void SetState(const absl::Status& state);
  void Hold(grpc::ClientContext* context);  // That of the stream, which GiveUp cancels. Null: there is none.
  bool Pause();                             // Before the next attempt. False: stopped, or given up.

  RootConnection* root_;
  const std::unique_ptr<KnownRoot> known_;
  v1::AttendRequest request_;  // Of the thread.
  const std::function<void(const v1::RootNotice&)> on_notice_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  absl::Status state_ = absl::UnavailableError("the root has not answered yet");
  bool given_up_ = false;
  grpc::ClientContext* context_ = nullptr;
  std::thread thread_;
};

}  // namespace cairn
