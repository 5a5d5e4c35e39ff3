#include "base/worker_pool.h"

#include <utility>

namespace cairn {

WorkerPool::WorkerPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Run(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_.notify_one();  // With the lock: once it is released, the work may lead to the destruction of this object.
}

void WorkerPool::RunAfter(std::chrono::milliseconds pause, std::function<void()> task) {
  std::lock_guard lock(mutex_);
  later_.emplace(std::chrono::steady_clock::now() + pause, std::move(task));
  wake_.notify_one();
}

void WorkerPool::QueueDue() {
  while (!later_.empty() && later_.begin()->first <= std::chrono::steady_clock::now()) {
    tasks_.push_back(std::move(later_.begin()->second));
    later_.erase(later_.begin());
  }
}

void WorkerPool::WakeAnother() {
  if (!tasks_.empty() || !later_.empty()) wake_.notify_one();
}

void WorkerPool::Loop() {
  while (true) {
    std::unique_lock lock(mutex_);
    for (QueueDue(); !stopping_ && tasks_.empty(); QueueDue()) {
      // A copy: another thread may take it meanwhile.
      if (const Time next = later_.empty() ? Time::max() : later_.begin()->first; next == Time::max()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, next);
      }
    }
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    WakeAnother();
    lock.unlock();
    task();
  }
}

}  // namespace cairn
