#include "server/store/byte_budget.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace cairn {

std::deque<ByteBudget::Request> ByteBudget::TakeGrantable() {
  // Strictly in order: a large request at the head is not starved by small ones behind it.
  std::deque<Request> grantable;
  while (!waiting_.empty() && used_ + waiting_.front().bytes <= capacity_) {
    used_ += waiting_.front().bytes;
    grantable.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return grantable;
}

ByteBudget::Ticket ByteBudget::Acquire(std::uint64_t bytes, std::function<void()> granted) {
  assert(bytes <= capacity_);
  Ticket ticket;
  std::deque<Request> grantable;
  {
    std::lock_guard lock(mutex_);
    ticket = next_ticket_++;
    waiting_.push_back({ticket, bytes, std::move(granted)});
    grantable = TakeGrantable();
  }
  for (Request& request : grantable) request.granted();
  return ticket;
}

bool ByteBudget::Cancel(Ticket ticket) {
  std::deque<Request> grantable;
  bool found = false;
  {
    std::lock_guard lock(mutex_);
    auto it = std::find_if(waiting_.begin(), waiting_.end(), [&](const Request& r) { return r.ticket == ticket; });
    if (it != waiting_.end()) {
      waiting_.erase(it);
      found = true;
      grantable = TakeGrantable();  // It may have blocked smaller requests.
    }
  }
  for (Request& request : grantable) request.granted();
  return found;
}

void ByteBudget::Release(std::uint64_t bytes) {
  std::deque<Request> grantable;
  {
    std::lock_guard lock(mutex_);
    assert(bytes <= used_);
    used_ -= bytes;
    grantable = TakeGrantable();
  }
  for (Request& request : grantable) request.granted();
}

std::uint64_t ByteBudget::used() const {
  std::lock_guard lock(mutex_);
  return used_;
}

std::size_t ByteBudget::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

}  // namespace cairn
