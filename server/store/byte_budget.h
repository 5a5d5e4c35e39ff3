// A hard bound on bytes held. Whoever wants more waits in line: that wait is what clients feel as back-pressure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace cairn {

class ByteBudget {
 public:
  using Ticket = std::uint64_t;

  explicit ByteBudget(std::uint64_t capacity) : capacity_(capacity) {}

  // Takes `bytes` for the caller and runs `granted`: at once, or from the Release that makes room, in order of arrival.
  // REQUIRES: bytes <= capacity(). Give them back with Release.
  Ticket Acquire(std::uint64_t bytes, std::function<void()> granted);
  // True: the request was still waiting and `granted` will not run. False: it has run or is about to.
  bool Cancel(Ticket ticket);
  void Release(std::uint64_t bytes);

  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t used() const;
  std::size_t waiting() const;

 private:
  struct Request {
    Ticket ticket;
    std::uint64_t bytes;
    std::function<void()> granted;
  };

  std::deque<Request> TakeGrantable();  // REQUIRES: mutex_ held.

  const std::uint64_t capacity_;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;
  Ticket next_ticket_ = 1;
  std::deque<Request> waiting_;
};

}  // namespace cairn
