// What a node makes when the root asks for it: a sum, or modules.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/cairn/v1/node.pb.h"

namespace cairn {

class Parcel {
 public:
  virtual ~Parcel() = default;
  virtual void Describe(v1::DeliverHeader& header) const = 0;
  virtual std::vector<absl::string_view> pieces() const = 0;  // The bytes, in order; valid as long as the parcel.
};
using Made = absl::StatusOr<std::shared_ptr<const Parcel>>;

// How it stands with what the root has asked for, for whoever makes it, and whoever waits behind that one. Thread-safe.
class Errand {
 public:
  bool wanted() const { return state_ == State::kWanted; }  // Else it should end soon.
  bool hung() const { return state_ == State::kHung; }      // Nothing got done for so long that it may never end.

  void GiveUp() {  // Does not change that it hangs.
    State wanted = State::kWanted;
    state_.compare_exchange_strong(wanted, State::kUnwanted);
  }
  void Hang() { state_ = State::kHung; }

  // While one exists it is up to others to get on: the root, other nodes, workers, or an errand before it.
  class AwaitsOthers {
   public:
    explicit AwaitsOthers(const Errand& errand) : errand_(errand) { ++errand_.waits_; }
    ~AwaitsOthers() { --errand_.waits_; }
    AwaitsOthers(const AwaitsOthers&) = delete;

   private:
    const Errand& errand_;
  };
  bool awaits_others() const { return waits_ > 0; }

 private:
  enum class State { kWanted, kUnwanted, kHung };
  std::atomic<State> state_ = State::kWanted;
  mutable std::atomic<int> waits_ = 0;
};

using MakeParcel = std::function<Made(const std::shared_ptr<const Errand>& errand)>;

}  // namespace cairn
