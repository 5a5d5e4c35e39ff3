#include "server/node/making.h"

#include <pthread.h>

#include "base/progress.h"

namespace cairn {

Making::Making(const MakeParcel& make) {
  std::future<clockid_t> clock = clock_set_.get_future();
  made_ = std::async(std::launch::async, [this, make]() -> Made {
    clockid_t own{};
    ::pthread_getcpuclockid(::pthread_self(), &own);
    clock_set_.set_value(own);
    return make(errand_);
  });
  clock_ = clock.get();
}

bool Making::Await(std::chrono::milliseconds longest) { return made_.wait_for(longest) == std::future_status::ready; }

v1::WorkerAlive Making::Sign() const {
  timespec used{};  // Stays so when the thread has just ended.
  ::clock_gettime(clock_, &used);
  v1::WorkerAlive sign;
  sign.set_progress(WorkProgress::made() + static_cast<std::uint64_t>(used.tv_sec));
  sign.set_awaits_others(errand_->awaits_others());
  return sign;
}

}  // namespace cairn
