#include "server/tree/life_signs.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/progress.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/tree/unix_stream.h"

namespace cairn::tree {
namespace {

constexpr int kSignsPerLease = 4;
constexpr absl::Duration kIntervalMax = absl::Seconds(2);  // The dispatcher waits for several of them.

// Of all threads. This one takes less than a second in days.
std::uint64_t ProcessorSeconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec);
}

}  // namespace

LifeSigns::LifeSigns(NodeObjects* objects, int socket)
    : objects_(objects),
      socket_(socket),
      interval_(std::min(kIntervalMax, objects->lease_time() / kSignsPerLease)),
      lost_fd_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Loop(); }) {}

LifeSigns::~LifeSigns() {
  Set(State::kStops);
  thread_.join();
}

std::uint64_t LifeSigns::ProgressOf(Work work) {
  return WorkProgress::made() + (work == Work::kComputing ? ProcessorSeconds() : 0);
}

void LifeSigns::Begin(Work work) {
  work_ = work;
  Set(State::kWorks);
}
void LifeSigns::End(bool holds) { Set(holds ? State::kHolds : State::kIdle); }

void LifeSigns::Set(State state) {
  std::lock_guard lock(mutex_);
  state_ = state;
  changed_.notify_one();
}

absl::Status LifeSigns::lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

absl::Status LifeSigns::Send(const v1::WorkerMessage& message) {
  std::lock_guard lock(send_mutex_);
  return SendMessage(socket_, message);
}

absl::Status LifeSigns::TellDispatcher() {
  v1::WorkerMessage message;
  v1::WorkerAlive& alive = *message.mutable_alive();
  alive.set_progress(ProgressOf(work_));
  alive.set_awaits_others(WorkProgress::awaits_others());
  return Send(message);
}

void LifeSigns::Loop() {
  std::unique_lock lock(mutex_);
  while (state_ != State::kStops) {
    if (state_ == State::kIdle) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_for(lock, absl::ToChronoNanoseconds(interval_));
    const bool works = state_ == State::kWorks;
    if (state_ == State::kIdle || state_ == State::kStops) continue;
    lock.unlock();
    absl::Status told = objects_->Renew();
    if (told.ok() && works) told = TellDispatcher();
    lock.lock();
    if (told.ok()) continue;
    lost_ = std::move(told);
    ::eventfd_write(lost_fd_.get(), 1);
    return;
  }
}

}  // namespace cairn::tree
