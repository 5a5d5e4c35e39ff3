// A fixed number of threads for work that may block: file syncs, mappings, checks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace cairn {

class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  // Finishes everything queued, and drops what was not due yet.
  ~WorkerPool();
  void Run(std::function<void()> task);
  void RunAfter(std::chrono::milliseconds pause, std::function<void()> task);

 private:
  using Time = std::chrono::steady_clock::time_point;
  void Loop();
  void QueueDue();  // REQUIRES: mutex_ held, as next.
  // Who takes a task may have been the one that slept until the next falls due.
  void WakeAnother();

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::deque<std::function<void()>> tasks_;
  std::multimap<Time, std::function<void()>> later_;
  std::vector<std::thread> threads_;
};

}  // namespace cairn
