// The same work for several clients at the same time.
#pragma once

#include <chrono>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::bench {

// Runs `work(client)` for clients 0 .. count - 1 on a thread each. Returns the seconds from their common start to the
// end of the last, or an error of one of them.
template <typename Work>
absl::StatusOr<double> Together(int count, const Work& work) {
  using Clock = std::chrono::steady_clock;
  std::latch ready(count + 1);
  std::mutex mutex;
  absl::Status failure;
  std::vector<std::thread> threads;
  for (int client = 0; client < count; ++client) {
    threads.emplace_back([&, client] {
      ready.arrive_and_wait();
      const absl::Status status = work(client);
      std::lock_guard lock(mutex);
      failure.Update(status);
    });
  }
  ready.arrive_and_wait();
  const auto start = Clock::now();
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = Clock::now() - start;
  if (!failure.ok()) return failure;
  return seconds.count();
}

}  // namespace cairn::bench
