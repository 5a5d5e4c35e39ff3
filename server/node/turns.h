// Errands that a node runs one after the other.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "server/node/parcel.h"

namespace cairn {

// Thread-safe. Outlives its turns.
class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_(turns) {}
    ~Turn() { turns_->Leave(); }
    Turn(const Turn&) = delete;

   private:
    Turns* turns_;
  };

  // Waits until it is this errand's turn. ABORTED: nobody wants it any more. DEADLINE_EXCEEDED: the one whose turn it
  // is hangs, and nobody should wait for that.
  absl::StatusOr<std::unique_ptr<Turn>> Await(const std::shared_ptr<const Errand>& errand);
  // Null: it is somebody's turn.
  std::unique_ptr<Turn> TryTake();

 private:
  void Leave();

  std::mutex mutex_;
  std::condition_variable left_;
  bool taken_ = false;
  std::shared_ptr<const Errand> holder_;  // Null: of TryTake.
};

}  // namespace cairn
