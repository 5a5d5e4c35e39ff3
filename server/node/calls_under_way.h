// Every call to the root, or to other nodes, that is under way, so that they can all be ended when the node stops.
#pragma once

#include <grpcpp/client_context.h>

#include <condition_variable>
#include <mutex>
#include <set>

namespace cairn {

class CallsUnderWay {
 public:
  ~CallsUnderWay() { AwaitNone(); }

  void Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);
  // Cancels all calls, and each that is added from now on.
  void Close();
  bool closed();
  void AwaitNone();  // Close comes first.

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  bool closed_ = false;
  std::set<grpc::ClientContext*> contexts_;
};

}  // namespace cairn
