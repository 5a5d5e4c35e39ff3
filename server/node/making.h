// A parcel that is being made on a thread of its own, and whether that gets on.
#pragma once

#include <time.h>

#include <chrono>
#include <future>
#include <memory>

#include "proto/cairn/v1/tree.pb.h"
#include "server/node/parcel.h"

namespace cairn {

class Making {
 public:
  explicit Making(const MakeParcel& make);
  ~Making() = default;  // Waits until it is made.
  Making(const Making&) = delete;

  Errand& errand() { return *errand_; }
  // Whether it is made, after so long at most.
  bool Await(std::chrono::milliseconds longest);
  Made Take() { return made_.get(); }  // Once. REQUIRES: Await has said so.

  // As a worker's (server/tree/life_signs.h): what this process got done, and, since one call of a library may take
  // hours and cannot tell, whole seconds of the thread's own processor time: the process has other things to do, too.
  v1::WorkerAlive Sign() const;

 private:
  const std::shared_ptr<Errand> errand_ = std::make_shared<Errand>();
  std::promise<clockid_t> clock_set_;
  std::future<Made> made_;
  clockid_t clock_;  // Of the thread's processor time.
};

}  // namespace cairn
