// The same work for several clients at the same time.
#pragma once

#include <algorithm>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::bench {

// Runs `work(client)` for clients 0 .. count - 1 on a thread each. Returns the seconds from the first one's start to
// the last one's end, or an error of one of them.
template <typename Work>
absl::StatusOr<double> Together(int count, const Work& work) {
  using Clock = std::chrono::steady_clock;
  std::latch ready(count);
  std::vector<Clock::time_point> starts(count), ends(count);
  std::vector<absl::Status> results(count);
  std::vector<std::thread> threads;
  for (int client = 0; client < count; ++client) {
    threads.emplace_back([&, client] {
      ready.arrive_and_wait();
      starts[client] = Clock::now();
      results[client] = work(client);
      ends[client] = Clock::now();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return result;
  }
  const std::chrono::duration<double> seconds =
      *std::max_element(ends.begin(), ends.end()) - *std::min_element(starts.begin(), starts.end());
  return seconds.count();
}

}  // namespace cairn::bench
